"""Page cursors: opaque tokens that can't be turned into queries."""

import base64
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from app.db.core import BadQuery, Cursor, Order

BY_TITLE = Order("title")


def token(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(bson.encode(content)).decode().rstrip("=")


@pytest.mark.parametrize("value", ["Élan", 7, -1.5, None, True, datetime(2026, 11, 22, tzinfo=UTC), ObjectId()])
def test_a_cursor_comes_back_as_it_was(value: Any) -> None:
    cursor = Cursor(value, "Q1", inclusive=True)
    assert BY_TITLE.decode(BY_TITLE.encode(cursor)) == cursor


@pytest.mark.parametrize("order", [Order("title", descending=True), Order("_id"), Order("runtime")])
def test_a_cursor_is_refused_in_another_order(order: Order) -> None:
    with pytest.raises(BadQuery, match="another sort order"):
        order.decode(BY_TITLE.encode(Cursor("x", "Q1")))


@pytest.mark.parametrize(
    "content",
    [
        {"o": ["title", False], "v": {"$ne": None}, "i": "Q1"},
        {"o": ["title", False], "v": "x", "i": {"$gt": ""}},
        {"o": ["title", False], "v": ["x"], "i": "Q1"},
        {"o": ["title", False], "v": bson.Regex("^a"), "i": "Q1"},
        {"o": ["title", False], "v": bson.Code("1"), "i": "Q1"},
        {"o": ["title", False], "v": float("nan"), "i": "Q1"},
        {"o": ["title", False], "v": "x", "i": None},
        {"o": ["title", False], "v": "x"},
        {"o": {"$ne": 1}, "v": "x", "i": "Q1"},
        {},
    ],
)
def test_a_forged_cursor_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(BadQuery):
        BY_TITLE.decode(token(content))


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_garbage_is_refused(garbage: str) -> None:
    with pytest.raises(BadQuery):
        BY_TITLE.decode(garbage)


@pytest.mark.parametrize("garbage", [None, 5, b"", {"$ne": ""}, "A" * 100_000])
def test_what_is_no_short_string_is_refused(garbage: Any) -> None:
    with pytest.raises(BadQuery):
        BY_TITLE.decode(garbage)
