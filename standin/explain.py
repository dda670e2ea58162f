"""explain: the plans of all shards that a command would be sent to."""

from collections.abc import Mapping
from typing import Any

from standin.catalog import Routing
from standin.errors import CommandError, Reply, check
from standin.operation import Operation


async def explain(operation: Operation) -> Reply:
    """The shards' plans, under mongos' SINGLE_SHARD / SHARD_MERGE stages."""
    inner = dict(operation.target.items())
    namespace = f"{operation.database}.{inner[next(iter(inner))]}"
    verbosity = operation.arguments.get("verbosity", "allPlansExecution")

    async def action(routing: Routing | None) -> Reply:
        if routing is None:
            raise CommandError(26, "NamespaceNotFound", f"Database {operation.database} doesn't exist")
        shards = routing.shards_of_query(_explained_query(inner))
        command = {"explain": inner, "verbosity": verbosity}
        replies = await operation.scatter(shards, command, routing)
        if routing.chunks is None:
            return check(replies[shards[0]][0])
        return _merge_plans(operation, inner, {shard: reply for shard, (reply, _) in replies.items()})

    return await operation.routed(namespace, action)


def _explained_query(inner: Mapping[str, Any]) -> Mapping[str, Any]:
    pipeline = inner.get("pipeline")
    if pipeline:
        match: Mapping[str, Any] = pipeline[0].get("$match") or {}
        return match
    return inner.get("filter") or {}


def _merge_plans(operation: Operation, inner: Mapping[str, Any], replies: Mapping[str, Reply]) -> Reply:
    stage = "SINGLE_SHARD" if len(replies) == 1 else "SHARD_MERGE_SORT" if inner.get("sort") else "SHARD_MERGE"
    plans = [
        {
            "shardName": shard,
            "connectionString": operation.catalog.shards[shard].connection_string,
            **dict(reply.get("queryPlanner") or {}),
        }
        for shard, reply in replies.items()
    ]
    merged: Reply = {"queryPlanner": {"mongosPlannerVersion": 1, "winningPlan": {"stage": stage, "shards": plans}}}
    statistics = [reply["executionStats"] for reply in replies.values() if "executionStats" in reply]
    if statistics:
        fields = ("nReturned", "executionTimeMillis", "totalKeysExamined", "totalDocsExamined")
        merged["executionStats"] = {field: sum(entry[field] for entry in statistics) for field in fields}
    return {**merged, "ok": 1.0}
