"""A client's command on its way to servers: what each of them gets, and retries when the routing was stale."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from bson import Timestamp
from bson.raw_bson import RawBSONDocument

from standin.catalog import Routing
from standin.cursors import RemoteCursor
from standin.errors import RETRYABLE_CODES, CommandError, Reply, StaleRoutingError, check, unauthorized
from standin.privileges import Privileges
from standin.replica_set import ReplicaSet
from standin.request import Request, User
from standin.router import Router
from standin.transactions import Transaction

T = TypeVar("T")

MAX_ROUTING_ATTEMPTS = 12
STALE_PAUSE_SECONDS = 0.02

CONFIG_DATABASES = frozenset({"config", "admin"})


class Operation(Request):
    """A request, and the router that runs it."""

    def __init__(self, router: Router, user: User | None, command: Mapping[str, Any]) -> None:
        super().__init__(router.clock, user, command)
        self.router = router
        self.catalog = router.catalog
        self.transaction: Transaction | None = None
        self.read_mode = str((command.get("$readPreference") or {}).get("mode", "primary"))

    @property
    def retryable_write(self) -> bool:
        return "txnNumber" in self.generic and self.transaction is None

    @property
    def on_config_servers(self) -> bool:
        """Whether the namespace lives on the config servers rather than on a shard."""
        return self.database in CONFIG_DATABASES and self.namespace != "config.system.sessions"

    @functools.cached_property
    def read_concern(self) -> dict[str, Any]:
        """The client's, with one snapshot time for all that this operation sends."""
        return self.clock.pin_snapshot(self.generic.get("readConcern") or {})

    @property
    def snapshot_time(self) -> Timestamp | None:
        """The time of a snapshot read outside of transactions."""
        return None if self.transaction else self.read_concern.get("atClusterTime")

    async def privileges(self) -> Privileges:
        """The user's privileges. Raises CommandError when nobody is logged in, or the user has been removed."""
        if self.user is None:
            raise unauthorized(f"command {self.name} requires authentication")
        return await self.router.privileges.of(self.user)

    def _outgoing(self, command: Mapping[str, Any], *, write: bool, session: bool) -> dict[str, Any]:
        # The command's name must come first.
        name = next(iter(command))
        full = {name: command[name]}
        if session:
            full.update({key: self.generic[key] for key in ("maxTimeMS", "comment") if key in self.generic})
            if self.session_id is not None:
                full["lsid"] = self.session_id
        full.update(command)
        # Not the client's own $clusterTime: servers trust the router, and would believe any.
        if self.clock.latest is not None:
            full["$clusterTime"] = self.clock.latest
        if write:
            if session and "txnNumber" in self.generic:
                full["txnNumber"] = self.generic["txnNumber"]
            full.setdefault("writeConcern", self.write_concern)
            return full
        if "readConcern" in self.generic:
            full.setdefault("readConcern", self.read_concern)
        if self.read_mode != "primary":
            full["$readPreference"] = {"mode": self.read_mode}
        return full

    async def send(
        self,
        replica_set: ReplicaSet,
        command: Mapping[str, Any],
        *,
        write: bool = False,
        session: bool = True,
        sequences: Mapping[str, Sequence[RawBSONDocument]] | None = None,
    ) -> tuple[Reply, str]:
        """Send a command for this operation. Returns the server's reply, ok or not, and its host.

        `session` is False for the servers' internal commands, which take no client session. Raises CommandError
        when no member can be reached.
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
        """Like `send`, but raises CommandError or StaleRoutingError for a reply that isn't ok."""
        reply, host = await self.send(await self.catalog.shard(shard_id), command, write=write)
        return check(reply), host

    async def scatter(
        self, shard_ids: Sequence[str], command: Mapping[str, Any], routing: Routing, *, write: bool = False
    ) -> dict[str, tuple[Reply, str]]:
        """Send a command to several shards at once. Raises the first failing shard's error."""

        async def ask(shard_id: str) -> tuple[Reply, str]:
            versioned = {**command, **routing.version_fields(shard_id)}
            return await self.send_to_shard(shard_id, versioned, write=write)

        # Wait for all, so that nothing of this operation is still running after its reply.
        answers = await asyncio.gather(*(ask(shard_id) for shard_id in shard_ids), return_exceptions=True)
        results: dict[str, tuple[Reply, str]] = {}
        failures: list[BaseException] = []
        for shard_id, answer in zip(shard_ids, answers, strict=True):
            if isinstance(answer, BaseException):
                failures.append(answer)
            else:
                results[shard_id] = answer
        if failures:
            # The cursors that the other shards have opened.
            for shard_id, (reply, host) in results.items():
                if "cursor" in reply:
                    await RemoteCursor.of_reply(self.catalog.shards[shard_id], host, reply).kill(self)
            raise failures[0]
        return results

    async def routed(
        self,
        namespace: str,
        action: Callable[[Routing | None], Awaitable[T]],
        *,
        create: bool = False,
    ) -> T:
        """Run `action` with a namespace's routing; repeat it with fresh routing when a shard calls that stale.

        Without `create`, `action` gets None when the database doesn't exist.
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
        """Tell the driver that it may retry (`errorLabels`)."""
        if self.retryable_write and reply.get("code") in RETRYABLE_CODES:
            labels = list(reply.get("errorLabels", []))
            reply["errorLabels"] = [*labels, *({"RetryableWriteError"} - set(labels))]


def no_such_namespace(namespace: str) -> CommandError:
    return CommandError(26, "NamespaceNotFound", f"ns does not exist: {namespace}")
