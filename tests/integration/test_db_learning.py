"""When neighbours are computed anew."""

from typing import Any

import pytest
from pymongo.database import Database

from app.db import favourites, learning, neighbours
from app.recommender import neighbours as calculation

Raw = Database[dict[str, Any]]


def learn() -> learning.Learned | None:
    with neighbours.alone() as writer:
        return learning.learn(writer, lambda what, expected: lambda done: None)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("module", "constant", "value"),
    [
        (calculation, "SHRINKAGE", 99.0),
        (calculation, "LEAST_COMMON", 1),
        (calculation, "FORMULAS", 0),
        (learning, "FORMAT", 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_release_that_calculates_or_stores_otherwise_computes_anew(
    monkeypatch: pytest.MonkeyPatch, module: Any, constant: str, value: float
) -> None:
    favourites.like("ann", "f001")
    assert learn() is not None
    assert learn() is None
    monkeypatch.setattr(module, constant, value)
    assert learn() is not None
    assert learn() is None
