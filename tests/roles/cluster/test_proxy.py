"""nginx as the proxy of both apps. It must not differ from them in where a request ends.

Otherwise a request's rest could be taken for the beginning of somebody else's.
"""

from __future__ import annotations

import re
import socket

import pytest

from ops.topology import ADMIN_APP_PORT, USER_APP_PORT
from tests.deployed import Inventory

ports = pytest.mark.parametrize("port", [USER_APP_PORT, ADMIN_APP_PORT])


def answers(inventory: Inventory, web: str, port: int, lines: list[str], body: str = "") -> list[int]:
    """The statuses of all answers to a request with these header lines, and to another one behind it.

    In a line, LENGTH stands for the length of the body with the other request.
    """
    address = inventory.address(web)
    host = f"Host: {address}:{port}"
    rest = f"{body}GET /healthz HTTP/1.0\r\n{host}\r\n\r\n"
    head = "\r\n".join(["GET /healthz HTTP/1.1", host, *lines, "", ""]).replace("LENGTH", str(len(rest)))
    with (
        socket.create_connection((address, port), timeout=20) as plain,
        inventory.trust.wrap_socket(plain, server_hostname=address) as connection,
    ):
        connection.sendall(f"{head}{rest}".encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", received)]


@ports
def test_a_request_of_two_lengths_is_refused(inventory: Inventory, web: str, port: int) -> None:
    assert answers(inventory, web, port, []) == [200, 200]
    assert answers(inventory, web, port, ["Content-Length: 0", "Content-Length: LENGTH"]) == [400]


@ports
def test_a_chunked_request_has_no_other_length(inventory: Inventory, web: str, port: int) -> None:
    """nginx before 1.21.1 ignores the other length, as RFC 9112 wants it (6.3); later ones refuse the request."""
    lines = ["Transfer-Encoding: chunked", "Content-Length: LENGTH"]
    assert answers(inventory, web, port, lines, "0\r\n\r\n") in ([400], [200, 200])
