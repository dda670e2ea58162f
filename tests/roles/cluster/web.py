"""The apps of a deployed cluster, as somebody without a browser sees them."""

from __future__ import annotations

import re
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message

from ops.topology import ADMIN_APP_PORT, USER_APP_PORT
from tests.deployed import Inventory

PORTS = {"user": USER_APP_PORT, "admin": ADMIN_APP_PORT}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: str


def get(inventory: Inventory, web: str, app: str, path: str, **headers: str) -> Answer:
    """An app's answer, of whatever status. Raises RemoteDisconnected when there is none."""
    request = urllib.request.Request(f"{inventory.site(web, PORTS[app])}{path}", headers=headers)  # noqa: S310 - https
    try:
        with inventory.browser().open(request, timeout=20) as response:
            return Answer(response.status, response.headers, response.read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read().decode(errors="replace"))


def stylesheet(page: str) -> str:
    return page.split('rel="stylesheet"')[1].split('href="')[1].split('"', maxsplit=1)[0]


def flood(inventory: Inventory, web: str) -> set[bytes]:
    """The statuses of 900 requests at once."""
    address, port = inventory.address(web), PORTS["user"]
    style = stylesheet(get(inventory, web, "user", "/").body)
    get(inventory, web, "user", style)  # now nginx has it
    request = f"HEAD {style} HTTP/1.1\r\nHost: {address}:{port}\r\n\r\n".encode()
    last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with (
        socket.create_connection((address, port), timeout=60) as plain,
        inventory.trust.wrap_socket(plain, server_hostname=address) as connection,
    ):
        connection.sendall(request * 900 + last)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    return set(re.findall(rb"^HTTP/1.1 (\d+)", answers, re.MULTILINE))


def wait_until_served(inventory: Inventory, web: str) -> None:
    deadline = time.monotonic() + 60
    while get(inventory, web, "user", "/healthz").status != 200:
        assert time.monotonic() < deadline, "still refused after a minute"
        time.sleep(0.2)  # nginx says nothing when its limit lets an address in again
