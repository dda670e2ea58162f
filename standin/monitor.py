"""Watches the members of one replica set by awaitable `hello` commands, on a separate connection to each member.

With `topologyVersion` and `maxAwaitTimeMS` a server answers at once when something changes, and otherwise every
second. So elections are seen at once, and silence means trouble. A host that is frozen or cut off may still accept
connections, but never answers a command. It is given up, and commands that wait for it fail, as soon as the set has
another primary, or after SILENCE_SECONDS of silence (drivers' connectTimeoutMS).
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from standin.bson_order import order_key
from standin.connection import Connection, Identity
from standin.errors import without_metadata

AWAIT_MS = 1000
SILENCE_SECONDS = 10.0
# A host that has been silent this long when another becomes primary is given up at once.
OUSTED_SILENCE_SECONDS = 2.0
RETRY_SECONDS = 0.5

log = logging.getLogger(__name__)


class Monitor:
    """`hosts`, `primary` (None if unknown) and `secondaries` are addresses as members report them."""

    def __init__(self, name: str, seeds: Sequence[str], identity: Identity, *, on_lost: Callable[[str], None]) -> None:
        self.name = name
        self.hosts: list[str] = list(seeds)
        self.primary: str | None = None
        self.secondaries: set[str] = set()
        self.cluster_time: Mapping[str, Any] | None = None
        self._identity = identity
        self._on_lost = on_lost
        self._election: Any = None
        self._heard: dict[str, float] = {}
        self._reported: dict[str, str] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._wake: dict[str, asyncio.Event] = {}
        self._change = asyncio.Event()

    def start(self) -> None:
        for host in set(self.hosts) - set(self._watchers):
            self._heard[host] = time.monotonic()
            self._wake[host] = asyncio.Event()
            self._watchers[host] = asyncio.create_task(self._watch(host))
        for host in set(self._watchers) - set(self.hosts):
            self._watchers.pop(host).cancel()
            self._lost(host)

    def close(self) -> None:
        for watcher in self._watchers.values():
            watcher.cancel()

    def suspect(self, host: str) -> None:
        """A command found `host` unreachable or not primary: check it before it is used again."""
        if self.primary == host:
            self.primary = None
        self.secondaries.discard(host)
        for wake in self._wake.values():
            wake.set()

    async def elected(self) -> None:
        """Wait for a primary that is elected after this call, or for the first one."""
        before = self._election
        while self._election == before:
            await self._change.wait()

    async def changed(self, seconds: float) -> bool:
        """Wait for a change. Returns False if there is none within `seconds`."""
        if seconds <= 0:
            return False
        try:
            await asyncio.wait_for(self._change.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    def _announce(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    async def _watch(self, host: str) -> None:
        connection: Connection | None = None
        command: dict[str, Any] = {"hello": 1}
        try:
            while True:
                self._wake[host].clear()
                try:
                    connection = connection or await Connection.open(host, self._identity, log_in=False)
                    reply = await connection.command("admin", command, seconds=SILENCE_SECONDS)
                except (OSError, EOFError) as error:
                    self._report(host, error)
                    self._lost(host, error)
                    connection, command = None, {"hello": 1}
                    await self._pause(host)
                    continue
                self._take_in(host, reply)
                command = {"hello": 1}
                if "topologyVersion" in reply:
                    command.update(topologyVersion=reply["topologyVersion"], maxAwaitTimeMS=AWAIT_MS)
                if self._wake[host].is_set():
                    # The host is suspected: have it answer now, not at the next change.
                    command = {"hello": 1}
        finally:
            if connection is not None:
                connection.close()

    def _report(self, host: str, error: Exception) -> None:
        """Log what is wrong with a server's certificate, or with ours, but not at every attempt."""
        if isinstance(error, ssl.SSLError) and self._reported.get(host) != str(error):
            log.warning("no TLS connection to %s: %s", host, error)
            self._reported[host] = str(error)

    async def _pause(self, host: str) -> None:
        try:
            await asyncio.wait_for(self._wake[host].wait(), RETRY_SECONDS)
        except asyncio.TimeoutError:
            return
        # A refused connection fails at once: don't spin on it.
        await asyncio.sleep(RETRY_SECONDS / 5)

    def _take_in(self, host: str, reply: Mapping[str, Any]) -> None:
        self._heard[host] = time.monotonic()
        if "$clusterTime" in reply:
            self.cluster_time = reply["$clusterTime"]
        if reply.get("setName") != self.name:
            if host in (self.primary, *self.secondaries):
                log.warning("%s is no longer a member of %s: %s", host, self.name, without_metadata(reply))
            self._forget(host)
            return
        if reply.get("isWritablePrimary"):
            self._new_primary(host, reply)
        elif reply.get("secondary"):
            if self.primary == host:
                self.primary = None
            self.secondaries.add(host)
        else:
            self._forget(host)
        self._announce()

    def _new_primary(self, host: str, reply: Mapping[str, Any]) -> None:
        election = (reply.get("setVersion"), order_key(reply.get("electionId")))
        if self.primary != host:
            if self._election is not None and election[1] < self._election[1]:
                return  # a former primary that doesn't know its successor yet
            log.info("%s is the primary of %s", host, self.name)
        self._election = election
        self.primary = host
        self.secondaries.discard(host)
        self.hosts = [*reply["hosts"], *reply.get("passives", [])]
        self.start()
        for other, heard in self._heard.items():
            if other != host and time.monotonic() - heard > OUSTED_SILENCE_SECONDS:
                self._lost(other)

    def _forget(self, host: str) -> None:
        if self.primary == host:
            self.primary = None
        self.secondaries.discard(host)

    def _lost(self, host: str, error: Exception | None = None) -> None:
        if host in (self.primary, *self.secondaries):
            log.warning("lost %s of %s: %s", host, self.name, error or "silent while another member was elected")
        self._forget(host)
        self._on_lost(host)
