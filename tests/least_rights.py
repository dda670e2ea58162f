"""Records which rights MongoDB's users need: each command that a client of this process sends, and who sent it.

The commands come from PyMongo's listeners, the users from mongod's log, where each connection logs in. Refused commands
don't count. What each command needs is in MongoDB's manual under "Privilege Actions".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pymongo import monitoring

from ops.local_cluster import LocalCluster

Right = tuple[str, str]  # collection ("" for all), action

_READS = {"find", "count", "distinct", "getMore", "aggregate"}
_SIMPLE = {
    "insert": "insert",
    "delete": "remove",
    "create": "createCollection",
    "createIndexes": "createIndex",
    "dropIndexes": "dropIndex",
    "collMod": "collMod",
    "listIndexes": "listIndexes",
}
_WHOLE_DATABASE = (1, "$cmd.aggregate")  # in place of a collection's name
_LOGGED_IN = {20250, 5286306}  # messages of MongoDB 6.0 and of later releases
# Anybody may send these about the own connection, session or cursor.
_FREE = {"hello", "ping", "buildInfo", "endSessions", "killCursors", "commitTransaction", "abortTransaction"}


class Recorder(monitoring.CommandListener):
    """Listens to all clients made after it until `stop`."""

    def __init__(self) -> None:
        self._listening = True
        self._begun: dict[int, dict[str, Any]] = {}
        self._done: list[tuple[int | None, str, dict[str, Any]]] = []
        monitoring.register(self)  # for good: PyMongo has no opposite

    def stop(self) -> None:
        self._listening = False

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self._listening:
            self._begun[event.request_id] = dict(event.command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        if (command := self._begun.pop(event.request_id, None)) is not None:
            self._done.append((event.server_connection_id, event.database_name, command))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self._begun.pop(event.request_id, None)

    def used(self, cluster: LocalCluster, database: str, user: str) -> set[Right]:
        """The rights in `database` that the user's commands so far needed. The cluster is a single mongod.

        Raises ValueError for a command whose rights aren't known here.
        """
        (member,) = cluster.processes
        users = dict(_log_ins(member.log.read_text()))
        own = [
            command for connection, where, command in self._done if (users.get(connection), where) == (user, database)
        ]
        return {right for command in own for right in needed(command)}


def _log_ins(log: str) -> Iterator[tuple[int, str]]:
    """(connection, user) of each log-in in mongod's log."""
    for line in log.splitlines():
        entry = json.loads(line)
        if entry["id"] in _LOGGED_IN:
            attributes = entry["attr"]
            yield int(entry["ctx"].removeprefix("conn")), attributes.get("user") or attributes["principalName"]


def needed(command: dict[str, Any]) -> set[Right]:
    """The rights that a command needs, for collections of its own database."""
    name, value = next(iter(command.items()))
    if name in _FREE:
        return set()
    if name == "listCollections":
        return {("", name)}
    collection = command["collection"] if name == "getMore" else value
    if name in _READS:
        collection = "" if collection in _WHOLE_DATABASE else collection
        return {(collection, "find"), *_of_stages(command.get("pipeline", []))}
    if name in _SIMPLE:
        return {(collection, _SIMPLE[name])}
    if name == "update":
        return {right for change in command["updates"] for right in _update(collection, change)}
    if name == "findAndModify":
        changes = {(collection, "remove")} if command.get("remove") else _update(collection, command)
        return {(collection, "find"), *changes}
    raise ValueError(f"which rights does {name} need?")


def _update(collection: str, change: dict[str, Any]) -> set[Right]:
    return {(collection, "update"), *([(collection, "insert")] if change.get("upsert") else [])}


def _of_stages(pipeline: list[dict[str, Any]]) -> Iterator[Right]:
    """The rights on other collections that the stages of an aggregation need."""
    for stage in pipeline:
        for name, value in stage.items():
            if name in ("$merge", "$out", "$unionWith", "$graphLookup"):
                raise ValueError(f"which rights does {name} need?")
            if name == "$changeStream":
                yield "", "changeStream"
            if name == "$lookup":
                yield value["from"], "find"
                yield from _of_stages(value.get("pipeline", []))
