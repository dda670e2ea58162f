"""Which archived events belong to a restored second, and what one does to a document that it may not fit."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import bson
import pytest
from bson import ObjectId, Timestamp

from app.db.backups.changes import events

SECOND = 1_000_000
UNTIL = Timestamp(SECOND, 2**32 - 1)


def event(seconds: int, transaction: int | None = None) -> Any:
    """An event so many seconds after the restored one."""
    time = Timestamp(SECOND + seconds, 1)
    document: dict[str, Any] = {"_id": {"_data": f"82{time.time:08X}{time.inc:08X}"}, "clusterTime": time}
    if transaction is not None:
        document |= {"txnNumber": transaction, "lsid": {"id": SESSION}}
    return events.exact(bson.encode(document))


SESSION = ObjectId()
Selection = import_module("app.db.backups.changes.replay")._Selection


def test_a_transaction_is_restored_as_a_whole_or_not_at_all() -> None:
    """Each shard reports its part at a time of its own."""
    selection = Selection(Timestamp(SECOND - 100, 1), UNTIL, "")
    wanted = [(0, None), (0, 1), (1, None), (1, 1), (1, 2), (2, 1)]
    assert [selection.wants(event(*which)) for which in wanted] == [True, True, False, True, False, True]


def test_what_the_full_backup_or_an_earlier_run_has_is_left_out() -> None:
    applied = event(0)["_id"]["_data"]
    selection = Selection(Timestamp(SECOND - 100, 1), UNTIL, applied)
    assert [selection.wants(event(seconds)) for seconds in (-101, -100, -5, 0)] == [False] * 4
    # Of a transaction that an earlier run has begun, the rest is still wanted.
    assert not selection.wants(event(0, 7))
    assert selection.wants(event(1, 7))


BEFORE = {"_id": 1, "a": [1, {"b": 2}], "o": {"x": 1}}
NOTHING: dict[str, Any] = {"updatedFields": {}, "removedFields": [], "truncatedArrays": []}


@pytest.mark.parametrize(
    "change",
    [
        {"updatedFields": {"o.x.y": 1}},
        {"updatedFields": {"none.x": 1}},
        {"updatedFields": {"a.x": 1}},
        {"removedFields": ["none.x"]},
        {"removedFields": ["a.0"]},
        {"truncatedArrays": [{"field": "o", "newSize": 1}]},
    ],
)
def test_an_update_of_another_document_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(events.DoesNotFit):
        events.updated(events.exact(bson.encode(BEFORE)), NOTHING | change)


def test_fields_keep_their_order_and_new_ones_come_last() -> None:
    change = NOTHING | {"updatedFields": {"z": 1, "b": 2, "o.x": 3, "a.1.b": 4, "a.3": 5}, "removedFields": ["none"]}
    after = events.updated(events.exact(bson.encode(BEFORE)), change)
    wanted = {"_id": 1, "a": [1, {"b": 4}, None, 5], "o": {"x": 3}, "z": 1, "b": 2}
    assert after.raw == bson.encode(wanted)
