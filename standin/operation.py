"""One client command on its way: what of it is passed on to the servers, and what their replies tell the
client.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from bson import Binary
from bson.raw_bson import RawBSONDocument

from standin.catalog import Routing
from standin.errors import RETRYABLE_CODES, CommandError, Reply, StaleRoutingError, check, unauthorized
from standin.privileges import Privileges
from standin.replica_set import ReplicaSet

if TYPE_CHECKING:
    from standin.router import Router
    from standin.transactions import Transaction

T = TypeVar("T")

# Fields that any command may carry. They steer the router, and reach a server only as `Operation.send` says.
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
# A server ends an operation after maxTimeMS by itself; beyond that and this it must be out of reach.
MAX_TIME_SLACK_SECONDS = 2.0
# MongoDB's implicit default since 5.0.
DEFAULT_WRITE_CONCERN = {"w": "majority"}
MAX_ROUTING_ATTEMPTS = 12
STALE_PAUSE_SECONDS = 0.02

CONFIG_DATABASES = frozenset({"config", "admin"})


@dataclass(frozen=True)
class User:
    """Who is logged in; `session_owner` is the digest by which servers tell the sessions of users apart."""

    name: str
    database: str
    session_owner: Binary


class Operation:
    """`arguments` is the command without the generic fields, its name first."""

    def __init__(self, router: "Router", user: User | None, command: Mapping[str, Any]) -> None:
        self.router = router
        self.catalog = router.catalog
        self.user = user
        self.name = next(iter(command))
        self.database = str(command.get("$db", "admin"))
        self.arguments: dict[str, Any] = {key: value for key, value in command.items() if key not in GENERIC_FIELDS}
        self.generic = {key: value for key, value in command.items() if key in GENERIC_FIELDS}
        self.transaction: Transaction | None = None
        self.read_mode = str((command.get("$readPreference") or {}).get("mode", "primary"))
        self.cluster_time: Mapping[str, Any] | None = None
        self.operation_time: Any = None
        self._forwarded: dict[str, Any] = {
            key: self.generic[key] for key in ("maxTimeMS", "comment") if key in self.generic
        }
        self.session_id: dict[str, Any] | None = None
        if user is not None and "lsid" in self.generic:
            # Always the user who is logged in: a client must not get at another user's session by naming its owner.
            self.session_id = {"id": self.generic["lsid"]["id"], "uid": user.session_owner}
            self._forwarded["lsid"] = self.session_id

    @property
    def target(self) -> Any:
        """The value of the command itself: for most commands the collection."""
        return self.arguments[self.name]

    @property
    def namespace(self) -> str:
        return f"{self.database}.{self.target}"

    @property
    def retryable_write(self) -> bool:
        return "txnNumber" in self.generic and self.transaction is None

    @property
    def on_config_servers(self) -> bool:
        """Whether the namespace lives on the config servers rather than on a shard."""
        return self.database in CONFIG_DATABASES and self.namespace != "config.system.sessions"

    async def privileges(self) -> Privileges:
        """What the user may do. Raises CommandError when nobody is logged in (any more)."""
        if self.user is None:
            raise unauthorized(f"command {self.name} requires authentication")
        return await self.router.privileges.of(self.user)

    @property
    def write_concern(self) -> dict[str, Any]:
        """The client's, with MongoDB's implicit default for what it leaves open.

        The router applies that default: a shard by itself acknowledges a write that says nothing with `w: 1`.
        """
        return {**DEFAULT_WRITE_CONCERN, **self.generic.get("writeConcern", {})}

    def session_fields(self) -> dict[str, Any]:
        """What a follow-up command (getMore) needs to be part of the same session and transaction."""
        if self.session_id is None:
            return {}
        fields: dict[str, Any] = {"lsid": self.session_id}
        if self.transaction is not None:
            fields.update(txnNumber=self.generic["txnNumber"], autocommit=False)
        return fields

    @property
    def reply_seconds(self) -> float | None:
        limit = self.generic.get("maxTimeMS")
        return float(limit) / 1000 + MAX_TIME_SLACK_SECONDS if limit else None

    def note(self, reply: Mapping[str, Any]) -> None:
        """Remember the logical times of a server's reply, for the client's causal consistency."""
        if "$clusterTime" in reply:
            seen = reply["$clusterTime"]
            if self.cluster_time is None or seen["clusterTime"] > self.cluster_time["clusterTime"]:
                self.cluster_time = seen
            self.router.gossip(seen)
        if "operationTime" in reply:
            times = (self.operation_time, reply["operationTime"])
            self.operation_time = max(time for time in times if time is not None)

    def _outgoing(self, command: Mapping[str, Any], *, write: bool, session: bool) -> dict[str, Any]:
        full = {**self._forwarded, **command} if session else dict(command)
        # The client's own $clusterTime is not passed on: from us, a trusted user, a server would believe any.
        # `next` keeps the command's name first, as the protocol demands.
        name = next(iter(command))
        full = {name: command[name], **full}
        if self.router.cluster_time is not None:
            full["$clusterTime"] = self.router.cluster_time
        if write:
            if session and "txnNumber" in self.generic:
                full["txnNumber"] = self.generic["txnNumber"]
            full.setdefault("writeConcern", self.write_concern)
            return full
        if "readConcern" in self.generic:
            full.setdefault("readConcern", self._read_concern())
        if self.read_mode != "primary":
            full["$readPreference"] = {"mode": self.read_mode}
        return full

    def _read_concern(self) -> dict[str, Any]:
        concern = dict(self.generic["readConcern"].items())
        if concern.get("level") == "snapshot" and "atClusterTime" not in concern:
            # One point in time for all shards.
            concern["atClusterTime"] = self.router.latest_time(concern)
        return concern

    async def send(
        self,
        replica_set: ReplicaSet,
        command: Mapping[str, Any],
        *,
        write: bool = False,
        session: bool = True,
        sequences: Mapping[str, Sequence[RawBSONDocument]] | None = None,
    ) -> tuple[Reply, str]:
        """Send a command for this operation: the server's reply, whatever it says, and the host that gave it.

        `session` False is for the servers' internal commands, which take no client session. Raises
        CommandError when no member can be reached.
        """
        full = self._outgoing(command, write=write, session=session)
        internal = "aggregate" in command and self.transaction is None
        if internal:
            full.setdefault("readConcern", {"level": "local"})
            full.setdefault("writeConcern", self.write_concern)
        if self.transaction is not None:
            full.pop("readConcern", None)
            full.pop("writeConcern", None)
            full.pop("$readPreference", None)
            full.update(self.transaction.statement_fields(replica_set.shard_id))
        in_transaction = self.transaction is not None
        reply, host = await replica_set.run(
            self.database,
            full,
            mode="primary" if write or in_transaction else self.read_mode,
            retry=not in_transaction and (not write or "txnNumber" in full),
            sequences=sequences,
            internal=internal,
            seconds=self.reply_seconds,
        )
        self.note(reply)
        return reply, host

    async def send_to_shard(
        self, shard_id: str, command: Mapping[str, Any], *, write: bool = False
    ) -> tuple[Reply, str]:
        """As `send`, but raises CommandError or StaleRoutingError for a reply that isn't ok."""
        reply, host = await self.send(await self.catalog.shard(shard_id), command, write=write)
        return check(reply), host

    async def scatter(
        self, shard_ids: Sequence[str], command: Mapping[str, Any], routing: Routing, *, write: bool = False
    ) -> dict[str, tuple[Reply, str]]:
        """The same command to several shards at once. Raises what the first failing shard raised."""

        async def ask(shard_id: str) -> tuple[Reply, str]:
            versioned = {**command, **routing.version_fields(shard_id)}
            return await self.send_to_shard(shard_id, versioned, write=write)

        # All of them are waited for, so that nothing of this operation goes on after its reply.
        answers = await asyncio.gather(*(ask(shard_id) for shard_id in shard_ids), return_exceptions=True)
        results: dict[str, tuple[Reply, str]] = {}
        failures: list[BaseException] = []
        for shard_id, answer in zip(shard_ids, answers, strict=True):
            if isinstance(answer, BaseException):
                failures.append(answer)
            else:
                results[shard_id] = answer
        if failures:
            await self.router.cursors.kill_remote(self, results)
            raise failures[0]
        return results

    async def routed(
        self,
        namespace: str,
        action: Callable[[Routing | None], Awaitable[T]],
        *,
        create: bool = False,
    ) -> T:
        """Run `action` with the routing of a namespace, again with fresh routing when a shard says it is
        stale.

        `action` gets None when the database doesn't exist and `create` doesn't ask for it.
        """
        for attempt in range(MAX_ROUTING_ATTEMPTS):
            try:
                return await action(await self.catalog.routing(namespace, create=create))
            except StaleRoutingError:
                self.catalog.forget(namespace)
                if self.transaction is not None or attempt == MAX_ROUTING_ATTEMPTS - 1:
                    raise
            await asyncio.sleep(STALE_PAUSE_SECONDS * attempt)
        raise AssertionError("unreachable")

    def label_failure(self, reply: Reply) -> None:
        """Tell the driver what it may do about a failure (`errorLabels`)."""
        if self.retryable_write and reply.get("code") in RETRYABLE_CODES:
            labels = list(reply.get("errorLabels", []))
            reply["errorLabels"] = [*labels, *({"RetryableWriteError"} - set(labels))]


def no_such_namespace(namespace: str) -> CommandError:
    return CommandError(26, "NamespaceNotFound", f"ns does not exist: {namespace}")
