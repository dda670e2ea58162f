"""Which of the driver's errors are temporary."""

from __future__ import annotations

import pytest
from pymongo.errors import AutoReconnect, ExecutionTimeout, OperationFailure, PyMongoError

from app.db.core import DatabaseError, DatabaseUnavailable, driver_errors

TEMPORARY = [
    AutoReconnect("connection closed"),
    ExecutionTimeout("operation exceeded time limit", 50),
    OperationFailure("Authentication failed.", 18),
    OperationFailure("Could not find host matching read preference", 133),
    OperationFailure("Connection refused", 6),
    OperationFailure("could not get updated shard list from config server", 202),
    OperationFailure("planner returned error :: hint provided does not correspond to an existing index", 2),
]


@pytest.mark.parametrize("error", TEMPORARY, ids=lambda error: type(error).__name__)
def test_temporary_errors_are_reported_as_such(error: PyMongoError) -> None:
    with pytest.raises(DatabaseUnavailable, match=str(error)[:10]), driver_errors():
        raise error


def test_other_errors_are_not() -> None:
    with pytest.raises(DatabaseError, match="unknown operator") as raised, driver_errors():
        raise OperationFailure("unknown operator: $near", 2)
    assert not isinstance(raised.value, DatabaseUnavailable)
