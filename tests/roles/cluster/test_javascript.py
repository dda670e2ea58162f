"""No process runs JavaScript, not even for its administrator."""

from __future__ import annotations

import pytest
from pymongo.errors import OperationFailure

from tests.deployed import Deployment, Process

NO_JAVASCRIPT = {6108304, 31264}  # as $where and $function are answered without an engine


# On a collection that every process has: $function is refused only when there is a document to run it on.
COMMANDS: dict[str, dict[str, object]] = {
    "$where": {"find": "system.version", "filter": {"$where": "true"}},
    "$function": {
        "aggregate": "system.version",
        "pipeline": [{"$project": {"x": {"$function": {"body": "function() {}", "args": [], "lang": "js"}}}}],
        "cursor": {},
    },
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_javascript_is_refused(deployment: Deployment, process: Process, command: dict[str, object]) -> None:
    with pytest.raises(OperationFailure) as refused:
        deployment.client(process, process.administrator).admin.command(command)
    assert refused.value.code in NO_JAVASCRIPT, refused.value
