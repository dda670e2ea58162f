"""The slowest operations from the members' logs: mongod logs each that takes over 100 ms (slowms).

User input is never shown: only a query's fields are kept, not its values.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from app.db.core import Row

MOST = 15
MAX_SHAPE = 200  # characters
_QUERY_PARTS = ("filter", "query", "q", "pipeline", "key", "sort")


@dataclass(frozen=True)
class SlowOperation:
    """Operations of one kind and shape on one collection; `milliseconds`, `plan` and `examined` are the slowest's."""

    collection: str
    operation: str
    shape: str  # the query, with ? for every value
    milliseconds: int
    plan: str  # the server's summary: "COLLSCAN", "IXSCAN { title: 1 }"
    examined: int | None  # documents
    at: datetime
    member: str
    times: int = 1


def parse(lines: Iterable[str], member: str, database: str) -> list[SlowOperation]:
    """The slow operations on a database in a mongod's log lines (JSON since 4.4); other lines are skipped."""
    found = []
    for line in lines:
        if '"Slow query"' not in line:
            continue
        try:
            entry = json.loads(line)
            owner, _, collection = entry["attr"]["ns"].partition(".")
            if owner == database and not collection.startswith("$"):  # "$cmd": its parts are logged separately
                found.append(_operation(entry, collection, member))
        except (ValueError, KeyError, TypeError, AttributeError):  # truncated, or an unknown format
            continue
    return found


def _operation(entry: Row, collection: str, member: str) -> SlowOperation:
    attributes = entry["attr"]
    command = attributes.get("originatingCommand") or attributes.get("command", {})
    parts = {name: _shape(command[name]) for name in _QUERY_PARTS if command.get(name)}
    kind = attributes["type"]
    return SlowOperation(
        collection=collection,
        # "none" is internal work, often without a command.
        operation=next(iter(command), "internal") if kind in {"command", "none"} else kind,
        shape=json.dumps(parts)[:MAX_SHAPE] if parts else "",
        milliseconds=int(attributes["durationMillis"]),
        plan=attributes.get("planSummary", ""),
        examined=attributes.get("docsExamined"),
        at=datetime.fromisoformat(entry["t"]["$date"]),
        member=member,
    )


def _shape(value: Any) -> Any:
    """A query without its values; list items of the same shape appear once."""
    if isinstance(value, dict):
        return {name: _shape(part) for name, part in value.items()}
    if isinstance(value, list):
        forms = {json.dumps(form): form for form in map(_shape, value)}
        return list(forms.values())
    return "?"


def worst(found: Iterable[SlowOperation]) -> list[SlowOperation]:
    """The slowest of each kind and shape, slowest first; at most MOST."""
    kinds: dict[Sequence[str], list[SlowOperation]] = {}
    for operation in found:
        kinds.setdefault((operation.collection, operation.operation, operation.shape), []).append(operation)
    slowest = [replace(max(same, key=attrgetter("milliseconds")), times=len(same)) for same in kinds.values()]
    return sorted(slowest, key=attrgetter("milliseconds"), reverse=True)[:MOST]
