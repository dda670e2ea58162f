"""Connections to one mongod: idle ones for reuse, and busy ones, which are closed when the host is lost."""

from collections.abc import Mapping, Sequence
from typing import Any

from bson.raw_bson import RawBSONDocument

from standin.connection import Connection, Identity


class Pool:
    """Connections with and without `internal` (see Connection.open) are kept apart."""

    def __init__(self, address: str, identity: Identity) -> None:
        self.address = address
        self._identity = identity
        self._idle: dict[bool, list[Connection]] = {False: [], True: []}
        self._busy: set[Connection] = set()

    async def command(
        self,
        database: str,
        command: Mapping[str, Any],
        *,
        sequences: Mapping[str, Sequence[RawBSONDocument]] | None = None,
        internal: bool = False,
        seconds: float | None = None,
    ) -> RawBSONDocument:
        """Run a command on a pooled connection. Raises OSError or EOFError when the host is unreachable."""
        connection = await self._take(internal)
        self._busy.add(connection)
        try:
            reply = await connection.command(database, command, sequences=sequences, seconds=seconds)
        finally:
            self._busy.discard(connection)
        self._idle[internal].append(connection)
        return reply

    async def _take(self, internal: bool) -> Connection:
        idle = self._idle[internal]
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return await Connection.open(self.address, self._identity, internal=internal)

    def close(self) -> None:
        """Close every connection. Commands that wait for a reply fail with ConnectionError."""
        for connections in (*self._idle.values(), list(self._busy)):
            for connection in connections:
                connection.close()
        for idle in self._idle.values():
            idle.clear()
