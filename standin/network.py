"""The two places where sockets are made. Issue on TLS: an `ssl` context goes in here and nowhere else."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from standin.errors import ProtocolError

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# A frozen host accepts connections in its kernel, so this bounds only hosts that are unreachable.
CONNECT_SECONDS = 5.0
_BUFFER_BYTES = 4 * 2**20


async def connect(address: str) -> Streams:
    """Open a connection to `host:port`. Raises OSError (ConnectionError when it takes longer than
    CONNECT_SECONDS).
    """
    host, _, port = address.rpartition(":")
    opening = asyncio.open_connection(host.strip("[]"), int(port), limit=_BUFFER_BYTES)
    try:
        return await asyncio.wait_for(opening, CONNECT_SECONDS)
    except asyncio.TimeoutError:
        raise ProtocolError(f"no connection to {address} within {CONNECT_SECONDS:.0f} s") from None


async def listen(handler: Handler, addresses: Sequence[str], port: int) -> asyncio.AbstractServer:
    """Listen on these addresses and no other. Raises OSError when one can't be resolved or is taken.

    IPv4 unless an address is written as IPv6 (mongos has `net.ipv6` off by default): otherwise `localhost`
    would listen on `::1` too, which nobody asked for.
    """
    family = socket.AF_UNSPEC if any(":" in address for address in addresses) else socket.AF_INET
    return await asyncio.start_server(handler, addresses, port, family=family, limit=_BUFFER_BYTES)
