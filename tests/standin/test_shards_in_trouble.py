"""A shard that is frozen, or can't reach others for a while: reads end at their time limit, or are retried."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.errors import ExecutionTimeout

from ops.local_cluster import LocalCluster

Document = dict[str, Any]


def test_time_limit_on_a_frozen_shard(small_cluster: LocalCluster, sharded: Collection[Document]) -> None:
    """Without another member, the router waits for maxTimeMS and a little longer."""
    sharded.insert_many([{"key": key} for key in range(20)])
    frozen = small_cluster.primary("shard1")
    frozen.freeze()
    started = time.monotonic()
    try:
        with pytest.raises(ExecutionTimeout):
            list(sharded.find().max_time_ms(500))
    finally:
        frozen.send(signal.SIGCONT)
    assert time.monotonic() - started < 10
    assert len(list(sharded.find())) == 20


@pytest.mark.parametrize("code", [6, 202], ids=["HostUnreachable", "NetworkInterfaceExceededTimeLimit"])
def test_reads_are_retried_when_a_shard_could_not_reach_another_server(
    small_cluster: LocalCluster, sharded: Collection[Document], code: int
) -> None:
    sharded.insert_many([{"key": key} for key in range(20)])
    shard = small_cluster.shard_client("shard1")
    failure = {"failCommands": ["aggregate", "count", "find"], "errorCode": code, "failInternalCommands": True}
    for count in (
        lambda: sharded.count_documents({}),
        sharded.estimated_document_count,
        lambda: len(list(sharded.find())),
    ):
        shard.admin.command("configureFailPoint", "failCommand", mode={"times": 2}, data=failure)
        assert count() == 20
        left = shard.admin.command("configureFailPoint", "failCommand", mode="off")
        assert left["count"] >= 2, "the fail point was hit"
