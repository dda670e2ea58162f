"""What `make cluster-status` says of indexes that shards don't have alike."""

from __future__ import annotations

from ops.status import index_differences


def test_a_missing_and_a_half_built_index_are_said() -> None:
    whole = {"movies": {"_id_": True, "title_1": True}, "credits": {"_id_": True}}
    assert index_differences({}) == ([], [])
    assert index_differences({"shard1": whole, "shard2": whole}) == ([], [])
    half = {"movies": {"_id_": True, "title_1": False}, "credits": {"_id_": True, "name_1": True}}
    assert index_differences({"shard1": whole, "shard2": half}) == (
        ["credits.name_1 is missing on shard1"],
        ["movies.title_1 is being built on shard2"],
    )
    assert index_differences({"shard1": half, "shard2": half}) == (
        [],
        ["movies.title_1 is being built on shard1", "movies.title_1 is being built on shard2"],
    )


def test_a_shard_without_the_collection_lacks_nothing() -> None:
    whole = {"movies": {"_id_": True, "title_1": True}}
    assert index_differences({"shard1": whole, "shard2": {"movies": {}}, "shard3": {}}) == ([], [])
