"""The only module that makes sockets."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from standin.errors import ProtocolError
from standin.tls import HANDSHAKE_SECONDS, PROBE_BYTES, Tls, TlsError

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# For unreachable hosts: a frozen host's kernel accepts connections at once.
CONNECT_SECONDS = 5.0
# Between two looks at a connection whose first bytes arrive one by one.
_PROBE_PAUSE_SECONDS = 0.01
_BUFFER_BYTES = 4 * 2**20
_BACKLOG = 100

log = logging.getLogger(__name__)


async def connect(address: str, tls: Tls) -> Streams:
    """Connect to `host:port`. Raises OSError (ssl.SSLError too), after CONNECT_SECONDS ProtocolError."""
    host, _, port = address.rpartition(":")
    opening = asyncio.open_connection(host.strip("[]"), int(port), limit=_BUFFER_BYTES, ssl=tls.outgoing)
    try:
        return await asyncio.wait_for(opening, CONNECT_SECONDS)
    except asyncio.TimeoutError:
        raise ProtocolError(f"no connection to {address} within {CONNECT_SECONDS:.0f} s") from None


class Listener:
    """Accepts connections, with TLS and without on the same port, as the mode allows."""

    def __init__(self, handler: Handler, sockets: Sequence[socket.socket], tls: Tls) -> None:
        self._handler = handler
        self._sockets = sockets
        self._tls = tls
        self._tasks = {asyncio.create_task(self._accept(listening)) for listening in sockets}

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for listening in self._sockets:
            listening.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listening)
            except OSError as error:  # too many open files, or the client is gone already
                log.warning("can't accept a connection: %s", error)
                await asyncio.sleep(1)
                continue
            task = asyncio.create_task(self._welcome(connection, peer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _welcome(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=_BUFFER_BYTES), self._handler)

        try:
            connection.setblocking(False)
            beginning = await _beginning(connection)
            if not beginning:
                connection.close()  # somebody looked whether the port is open
                return
            context = self._tls.incoming(beginning)
            handshake_seconds = HANDSHAKE_SECONDS if context else None
            await loop.connect_accepted_socket(
                protocol, connection, ssl=context, ssl_handshake_timeout=handshake_seconds
            )
        except asyncio.CancelledError:
            connection.close()
            raise
        except (OSError, TlsError) as error:
            connection.close()
            log.warning("connection from %s refused: %s", peer, error)


async def _beginning(connection: socket.socket) -> bytes:
    """A connection's first bytes, which stay to be read; fewer than PROBE_BYTES when the client is gone."""
    loop = asyncio.get_running_loop()
    expiry = None
    while True:
        readable = asyncio.Event()
        loop.add_reader(connection, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(connection)
        beginning = connection.recv(PROBE_BYTES, socket.MSG_PEEK)
        expiry = expiry or loop.time() + HANDSHAKE_SECONDS
        if not 0 < len(beginning) < PROBE_BYTES or loop.time() > expiry:
            return beginning
        await asyncio.sleep(_PROBE_PAUSE_SECONDS)


async def listen(handler: Handler, addresses: Sequence[str], port: int, tls: Tls) -> Listener:
    """Listen on these addresses only. Raises OSError when one can't be resolved or is taken.

    IPv4 only, unless an address is written as IPv6: like mongos, whose `net.ipv6` is off by default.
    """
    loop = asyncio.get_running_loop()
    family = socket.AF_UNSPEC if any(":" in address for address in addresses) else socket.AF_INET
    sockets: list[socket.socket] = []
    try:
        found: dict[tuple[int, Any], None] = {}  # in this order, each once
        for address in addresses:
            for info in await loop.getaddrinfo(address, port, family=family, type=socket.SOCK_STREAM):
                found[info[0], info[4]] = None
        for kind, where in found:
            sockets.append(_listening_socket(kind, where))
    except OSError:
        for opened in sockets:
            opened.close()
        raise
    return Listener(handler, sockets, tls)


def _listening_socket(family: int, address: Any) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.setblocking(False)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
