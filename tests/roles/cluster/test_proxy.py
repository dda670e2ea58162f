"""nginx as the proxy of both apps: what it must not pass on."""

from __future__ import annotations

import socket

import pytest

from ops.topology import ADMIN_APP_PORT, USER_APP_PORT
from tests.deployed import Inventory


@pytest.mark.parametrize("port", [USER_APP_PORT, ADMIN_APP_PORT])
def test_a_request_of_two_lengths_is_refused(inventory: Inventory, web: str, port: int) -> None:
    """nginx and an app might disagree where it ends, and take its rest for somebody else's request."""
    address = inventory.address(web)
    headers = [f"Host: {address}:{port}", "Content-Length: 6", "Transfer-Encoding: chunked"]
    with (
        socket.create_connection((address, port), timeout=20) as plain,
        inventory.trust.wrap_socket(plain, server_hostname=address) as connection,
    ):
        connection.sendall("\r\n".join(["POST /log-in HTTP/1.1", *headers, "", "0", "", "G"]).encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
