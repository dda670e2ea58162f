"""The only module that makes sockets; TLS contexts will go here."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from standin.errors import ProtocolError

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# For unreachable hosts: a frozen host's kernel accepts connections at once.
CONNECT_SECONDS = 5.0
_BUFFER_BYTES = 4 * 2**20


async def connect(address: str) -> Streams:
    """Connect to `host:port`. Raises OSError, after CONNECT_SECONDS ProtocolError."""
    host, _, port = address.rpartition(":")
    opening = asyncio.open_connection(host.strip("[]"), int(port), limit=_BUFFER_BYTES)
    try:
        return await asyncio.wait_for(opening, CONNECT_SECONDS)
    except asyncio.TimeoutError:
        raise ProtocolError(f"no connection to {address} within {CONNECT_SECONDS:.0f} s") from None


async def listen(handler: Handler, addresses: Sequence[str], port: int) -> asyncio.AbstractServer:
    """Listen on these addresses only. Raises OSError when one can't be resolved or is taken.

    IPv4 only, unless an address is written as IPv6: like mongos, whose `net.ipv6` is off by default.
    """
    family = socket.AF_UNSPEC if any(":" in address for address in addresses) else socket.AF_INET
    return await asyncio.start_server(handler, addresses, port, family=family, limit=_BUFFER_BYTES)
