"""What a client asks for: its command, who sends it, and the session it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson import Binary

from standin.clock import Clock

# Fields that any command may carry. They steer the router; `Operation.send` decides what a server gets of them.
GENERIC_FIELDS = frozenset(
    {
        "$clusterTime",
        "$db",
        "$readPreference",
        "apiDeprecationErrors",
        "apiStrict",
        "apiVersion",
        "autocommit",
        "comment",
        "lsid",
        "maxTimeMS",
        "readConcern",
        "startTransaction",
        "txnNumber",
        "writeConcern",
    }
)
# A server ends an operation itself after maxTimeMS; if it hasn't answered this long after that, it is unreachable.
MAX_TIME_SLACK_SECONDS = 2.0
# MongoDB's implicit default since 5.0.
DEFAULT_WRITE_CONCERN = {"w": "majority"}


@dataclass(frozen=True)
class User:
    """A logged-in user; `session_owner` is the digest by which servers tell users' sessions apart."""

    name: str
    database: str
    session_owner: Binary


class Request:
    """`arguments` is the command without the generic fields, its name first; `generic` has those."""

    def __init__(self, clock: Clock, user: User | None, command: Mapping[str, Any]) -> None:
        self.clock = clock
        self.user = user
        self.name = next(iter(command))
        self.database = str(command.get("$db", "admin"))
        self.arguments: dict[str, Any] = {key: value for key, value in command.items() if key not in GENERIC_FIELDS}
        self.generic = {key: value for key, value in command.items() if key in GENERIC_FIELDS}
        self.cluster_time: Mapping[str, Any] | None = None
        self.operation_time: Any = None
        self.session_id: dict[str, Any] | None = None
        if user is not None and "lsid" in self.generic:
            # Always the logged-in user's: a client must not get at another user's session by naming its owner.
            self.session_id = {"id": self.generic["lsid"]["id"], "uid": user.session_owner}

    @property
    def target(self) -> Any:
        """The value of the command itself: for most commands the collection."""
        return self.arguments[self.name]

    @property
    def namespace(self) -> str:
        return f"{self.database}.{self.target}"

    @property
    def in_transaction(self) -> bool:
        """Whether the client sent it as part of a transaction."""
        return "autocommit" in self.generic

    @property
    def write_concern(self) -> dict[str, Any]:
        """The client's, with MongoDB's implicit default for what it leaves open.

        The router applies that default: a shard acknowledges a write without a write concern with `w: 1`.
        """
        return {**DEFAULT_WRITE_CONCERN, **self.generic.get("writeConcern", {})}

    @property
    def reply_seconds(self) -> float | None:
        limit = self.generic.get("maxTimeMS")
        return float(limit) / 1000 + MAX_TIME_SLACK_SECONDS if limit else None

    def session_fields(self) -> dict[str, Any]:
        """What a follow-up command (getMore) needs to be part of the same session and transaction."""
        if self.session_id is None:
            return {}
        fields: dict[str, Any] = {"lsid": self.session_id}
        if self.in_transaction:
            fields.update(txnNumber=self.generic["txnNumber"], autocommit=False)
        return fields

    def note(self, reply: Mapping[str, Any]) -> None:
        """Remember the logical times of a server's reply, for the client's causal consistency."""
        if "$clusterTime" in reply:
            seen = reply["$clusterTime"]
            if self.cluster_time is None or seen["clusterTime"] > self.cluster_time["clusterTime"]:
                self.cluster_time = seen
            self.clock.learn(seen)
        if "operationTime" in reply:
            times = (self.operation_time, reply["operationTime"])
            self.operation_time = max(time for time in times if time is not None)
