"""A replica set: selects a member for a command, and repeats the command when that is safe."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bson.raw_bson import RawBSONDocument

from standin.connection import Identity
from standin.errors import NOT_PRIMARY_CODES, RETRYABLE_CODES, CommandError, Reply
from standin.monitor import Monitor
from standin.pool import Pool

# How long a command that can't be repeated waits for a primary; mongos' own limit.
SELECTION_SECONDS = 20.0
# How long a retryable command is repeated; an election takes a little longer than `electionTimeoutMillis` (10 s).
RETRY_SECONDS = 45.0
RETRY_PAUSE_SECONDS = 0.1

Sequences = Mapping[str, Sequence[RawBSONDocument]]


class ReplicaSet:
    """Members are discovered from the seeds. `name` is the set's name."""

    def __init__(self, name: str, seeds: Sequence[str], identity: Identity, *, shard_id: str | None = None) -> None:
        self.name = name
        self.shard_id = shard_id
        self.identity = identity
        self._pools: dict[str, Pool] = {}
        self.monitor = Monitor(name, seeds, identity, on_lost=self._abandon)

    @property
    def connection_string(self) -> str:
        return f"{self.name}/{','.join(sorted(self.monitor.hosts))}"

    def start(self) -> None:
        self.monitor.start()

    def close(self) -> None:
        self.monitor.close()
        for pool in self._pools.values():
            pool.close()

    def _abandon(self, host: str) -> None:
        if host in self._pools:
            self._pools[host].close()

    def pool(self, host: str) -> Pool:
        if host not in self._pools:
            self._pools[host] = Pool(host, self.identity)
        return self._pools[host]

    async def select(self, mode: str = "primary", seconds: float = SELECTION_SECONDS) -> str:
        """A host for a read preference mode. Raises CommandError 133 if there is none within `seconds`."""
        expiry = time.monotonic() + seconds
        while True:
            host = self._candidate(mode)
            if host is not None:
                return host
            if not await self.monitor.changed(expiry - time.monotonic()):
                raise CommandError(
                    133,
                    "FailedToSatisfyReadPreference",
                    f'Could not find host matching read preference {{ mode: "{mode}" }} for set {self.name}',
                )

    def _candidate(self, mode: str) -> str | None:
        primary, secondaries = self.monitor.primary, sorted(self.monitor.secondaries)
        secondary = random.choice(secondaries) if secondaries else None  # noqa: S311 - spreads load
        if mode == "primary":
            return primary
        if mode == "secondary":
            return secondary
        if mode == "primaryPreferred":
            return primary or secondary
        if mode == "secondaryPreferred":
            return secondary or primary
        members = [*secondaries, *([primary] if primary else [])]
        return random.choice(members) if members else None  # noqa: S311

    async def run(
        self,
        database: str,
        command: Mapping[str, Any],
        *,
        mode: str = "primary",
        retry: bool = True,
        sequences: Sequences | None = None,
        internal: bool = False,
        seconds: float | None = None,
    ) -> tuple[Reply, str]:
        """Run a command on a member that fits `mode`. Returns the server's reply, ok or not, and its host.

        With `retry`, for commands that may be done twice, it is repeated after a lost connection or primary.
        `seconds` limits all of it. Raises CommandError when no member is found, can be reached, or answers in time.
        """
        expiry = time.monotonic() + (RETRY_SECONDS if seconds is None else seconds)
        while True:
            left = expiry - time.monotonic()
            # For a command that it may repeat, mongos looks for a host several times.
            host = await self.select(mode, left if retry else min(left, SELECTION_SECONDS))
            try:
                raw = await self.pool(host).command(
                    database, command, sequences=sequences, internal=internal, seconds=None if seconds is None else left
                )
            except (OSError, EOFError) as error:
                self.monitor.suspect(host)
                late = time.monotonic() >= expiry
                if late and seconds is not None:
                    raise CommandError(50, "MaxTimeMSExpired", f"{host} didn't answer within maxTimeMS") from error
                if late or not retry:
                    raise self._unreachable(host, error) from error
            else:
                reply = dict(raw.items())
                code = failure_code(reply)
                if code in NOT_PRIMARY_CODES:
                    self.monitor.suspect(host)
                if code not in RETRYABLE_CODES or not retry or time.monotonic() >= expiry:
                    return reply, host
            await asyncio.sleep(RETRY_PAUSE_SECONDS)

    def _unreachable(self, host: str, error: Exception) -> CommandError:
        return CommandError(6, "HostUnreachable", f"{self.name} member {host}: {error or type(error).__name__}")


def failure_code(reply: Mapping[str, Any]) -> int | None:
    """The error code of a failed command, or of an unsatisfied write concern."""
    if reply.get("ok") != 1:
        return int(reply.get("code", 8))
    concern_error = reply.get("writeConcernError")
    return int(concern_error["code"]) if concern_error else None
