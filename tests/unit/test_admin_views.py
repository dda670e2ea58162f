"""Filter conditions in addresses."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import MultiDict

from app.admin.views import MAX_CONDITIONS, conditions_from, filter_parameters
from app.db.core import BadQuery, Condition


def args(*filters: str) -> MultiDict[str, str]:
    return MultiDict([("filter", text) for text in filters])


def test_conditions_survive_the_round_trip() -> None:
    conditions = [
        Condition("release_year", "between", "1990..1999"),
        Condition("_id", "in", "a.b\nc"),
        Condition("title", "eq", ""),
        Condition("title", "ne", "filter=title.eq.x&a=ż"),
    ]
    assert conditions_from(args(*filter_parameters(conditions))) == conditions
    assert conditions_from(args()) == []


@pytest.mark.parametrize("text", ["", "title", "title.eq", "title.eq.a\0b", "ti\x1btle.eq.a"])
def test_malformed_conditions_are_refused(text: str) -> None:
    with pytest.raises(BadQuery):
        conditions_from(args(text))


def test_the_number_of_conditions_is_limited() -> None:
    assert len(conditions_from(args(*["title.eq.a"] * MAX_CONDITIONS))) == MAX_CONDITIONS
    with pytest.raises(BadQuery, match="at most"):
        conditions_from(args(*["title.eq.a"] * (MAX_CONDITIONS + 1)))
