"""Template filters."""

from __future__ import annotations

import pytest

from app.web.filters import rounded


@pytest.mark.parametrize(("number", "says"), [(5137, 5100), (17_472, 17_000), (99, 99), (7, 7), (0, 0), (995, 1000)])
def test_estimates_have_two_digits(number: int, says: int) -> None:
    assert rounded(number) == says
