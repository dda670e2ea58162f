"""One connection from the router to one mongod: handshake, log-in with the key file, one command at a time."""

import asyncio
import base64
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bson.raw_bson import RawBSONDocument

from standin import VERSION, WIRE_VERSION, network, wire
from standin.tls import Tls

HANDSHAKE_SECONDS = 5.0

_CLIENT = {
    "application": {"name": "mongos-standin"},
    "driver": {"name": "standin", "version": VERSION},
    "os": {"type": "linux"},
}


class AuthenticationFailedError(ConnectionError):
    """A server doesn't accept our key file, or didn't prove that it has the same one."""


@dataclass(frozen=True)
class Identity:
    """By what servers know the router: the key file's keys, and its certificate where the mode asks for TLS."""

    keys: tuple[str, ...] = field(repr=False)
    tls: Tls


class Connection:
    """A command that fails raises ConnectionError or EOFError and leaves the connection closed."""

    def __init__(self, streams: network.Streams) -> None:
        self._reader, self._writer = streams
        self.hello: RawBSONDocument | None = None

    @classmethod
    async def open(
        cls, address: str, identity: Identity, *, log_in: bool = True, internal: bool = False
    ) -> "Connection":
        """Connect to `address`; with `log_in`, log in as the cluster's internal user.

        `internal` announces a member of the cluster, as mongos does. Only then does a shard collect the other
        shards' documents for $unionWith; otherwise it silently answers from its own. In return, each command must
        spell out its read and write concern.
        """
        connection = cls(await network.connect(address, identity.tls))
        hello: dict[str, Any] = {"hello": 1, "client": _CLIENT}
        if internal:
            hello["internalClient"] = {"minWireVersion": WIRE_VERSION, "maxWireVersion": WIRE_VERSION}
        try:
            connection.hello = await connection.command("admin", hello, seconds=HANDSHAKE_SECONDS)
            if log_in:
                await connection._log_in(identity.keys)
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def usable(self) -> bool:
        return not self._reader.at_eof() and not self._writer.is_closing()

    async def command(
        self,
        database: str,
        command: Mapping[str, Any],
        *,
        sequences: Mapping[str, Sequence[RawBSONDocument]] | None = None,
        seconds: float | None = None,
    ) -> RawBSONDocument:
        """Run a command and return the server's reply, ok or not.

        `seconds` limits the wait for the reply. Without it, the wait ends when the replica set's monitor gives
        up the host and calls `close`. Raises ConnectionError or EOFError.
        """
        # Much cheaper than asyncio.wait_for, which makes a task for each command.
        expiry = asyncio.get_running_loop().call_later(seconds, self.close) if seconds else None
        try:
            self._writer.write(wire.encode_request({**command, "$db": database}, sequences))
            await self._writer.drain()
            _, _, body = await wire.read_frame(self._reader)
        except BaseException:
            # The late reply of a cancelled command would be taken for the next command's.
            self.close()
            raise
        finally:
            if expiry is not None:
                expiry.cancel()
        return wire.parse_reply(body)

    def close(self) -> None:
        self._writer.transport.abort()

    async def _log_in(self, keys: Sequence[str]) -> None:
        """As mongos does: with its own key, then with the other, which servers may still have alone."""
        for number, key in enumerate(keys, 1):
            try:
                await self._log_in_with(key)
            except AuthenticationFailedError:
                if number == len(keys):
                    raise
            else:
                return

    async def _log_in_with(self, key: str) -> None:
        """SCRAM-SHA-256 (RFC 7677) as `__system`, whose password is the key file."""
        nonce = base64.b64encode(os.urandom(24)).decode()
        client_first = f"n=__system,r={nonce}"
        reply = await self._sasl(
            {
                "saslStart": 1,
                "mechanism": "SCRAM-SHA-256",
                "payload": b"n,," + client_first.encode(),
                "options": {"skipEmptyExchange": True},
            }
        )
        server_first = bytes(reply["payload"]).decode()
        fields = dict(field.split("=", 1) for field in server_first.split(","))
        if not fields["r"].startswith(nonce):
            raise AuthenticationFailedError("the server's nonce doesn't start with ours")
        salted = hashlib.pbkdf2_hmac("sha256", key.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        client_final = f"c=biws,r={fields['r']}"
        message = f"{client_first},{server_first},{client_final}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        payload = f"{client_final},p={base64.b64encode(proof).decode()}".encode()
        reply = await self._sasl({"saslContinue": 1, "conversationId": reply["conversationId"], "payload": payload})
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        expected = b"v=" + base64.b64encode(hmac.digest(server_key, message, "sha256"))
        if not reply.get("done") or not hmac.compare_digest(bytes(reply["payload"]), expected):
            raise AuthenticationFailedError("the server didn't prove that it has the same key file")

    async def _sasl(self, command: dict[str, Any]) -> RawBSONDocument:
        reply = await self.command("local", command, seconds=HANDSHAKE_SECONDS)
        if reply.get("ok") != 1:
            raise AuthenticationFailedError(f"log-in with the key file failed: {reply.get('errmsg')}")
        return reply
