"""Logging in. A config server, which has the users, does the SCRAM conversation; the router passes it on."""

import hashlib
from collections.abc import Mapping
from typing import Any

from bson import Binary

from standin.catalog import Catalog
from standin.connection import HANDSHAKE_SECONDS, Connection
from standin.errors import CommandError, Reply, without_metadata
from standin.request import User
from standin.wire import plain

_SASL_FIELDS = ("saslStart", "saslContinue", "mechanism", "payload", "options", "conversationId")
_HELLO_FIELDS = ("saslSupportedMechs", "speculativeAuthenticate")


class LogIn:
    """One client connection's conversation. `user` is set once it has succeeded."""

    def __init__(self, catalog: Catalog) -> None:
        self.user: User | None = None
        self._catalog = catalog
        self._conversation: Connection | None = None

    def close(self) -> None:
        if self._conversation is not None:
            self._conversation.close()
            self._conversation = None

    async def sasl(self, database: str, arguments: Mapping[str, Any]) -> Reply:
        """saslStart and saslContinue."""
        if "saslStart" in arguments:
            await self._begin()
        if self._conversation is None:
            raise CommandError(17, "ProtocolError", "No SASL session state found")
        command = {name: arguments[name] for name in arguments if name in _SASL_FIELDS}
        reply = await self._ask(database, command)
        if reply.get("ok") == 1 and reply.get("done"):
            await self._finish()
        return reply

    async def in_hello(self, arguments: Mapping[str, Any]) -> Reply:
        """A hello's questions about logging in: the user's mechanisms, and the conversation's first step."""
        asked = {name: plain(arguments[name]) for name in _HELLO_FIELDS if name in arguments}
        if not asked:
            return {}
        await self._begin()
        reply = await self._ask("admin", {"hello": 1, **asked})
        if plain(reply.get("speculativeAuthenticate") or {}).get("done"):
            await self._finish()
        return {name: reply[name] for name in _HELLO_FIELDS if name in reply}

    async def _begin(self) -> None:
        self.close()
        host = await self._catalog.config.select("primaryPreferred")
        try:
            self._conversation = await Connection.open(host, self._catalog.identity, log_in=False)
        except (OSError, EOFError) as error:
            self._catalog.config.monitor.suspect(host)
            raise CommandError(6, "HostUnreachable", f"config server {host}: {error}") from error

    async def _ask(self, database: str, command: Mapping[str, Any]) -> Reply:
        assert self._conversation is not None  # noqa: S101 - _begin has made it
        try:
            raw = await self._conversation.command(database, command, seconds=HANDSHAKE_SECONDS)
        except (OSError, EOFError) as error:
            self.close()
            raise CommandError(6, "HostUnreachable", "lost the config server during login") from error
        return without_metadata(dict(raw.items()))

    async def _finish(self) -> None:
        status = plain(await self._ask("admin", {"connectionStatus": 1}))
        self.close()
        name, database = (status["authInfo"]["authenticatedUsers"][0][key] for key in ("user", "db"))
        owner = Binary(hashlib.sha256(f"{name}@{database}".encode()).digest(), 0)
        self.user = User(name, database, owner)
