"""With FILM_LIBRARY_ADMIN_HOST each app has a name of its own, and answers to no other's."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest

from ops.topology import ADMIN_APP_PORT, USER_APP_PORT
from tests.deployed import Inventory
from tests.drills.test_5_cut_off import run_role

pytestmark = pytest.mark.thorough
USER, ADMIN = "films.example.org", "admin.films.example.org"


@pytest.fixture(scope="module")
def named(inventory: Inventory) -> Iterator[str]:
    """The web host, which has both names during the tests."""
    web = inventory.group("web")[0]
    for variables in ({"cluster_user_host": USER, "cluster_admin_host": ADMIN}, {}):
        for role, tasks in (("certificates", "main"), ("webapps", "settings"), ("webapps", "run")):
            result = run_role(inventory, web, role, tasks, **variables)
            assert result.returncode == 0, result.stdout[-3000:]
        if variables:
            yield web


def answer(inventory: Inventory, web: str, name: str, port: int) -> str:
    """The status line for a browser that takes this name for the web host's; "" if there is none."""
    with (
        socket.create_connection((inventory.address(web), port), timeout=20) as plain,
        inventory.trust.wrap_socket(plain, server_hostname=name) as connection,
    ):
        connection.sendall(f"GET /log-in HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        return connection.recv(1024).decode(errors="replace").partition("\r\n")[0]


@pytest.mark.parametrize(
    ("name", "port", "answers"),
    [
        (USER, USER_APP_PORT, True),
        (ADMIN, ADMIN_APP_PORT, True),
        (USER, ADMIN_APP_PORT, False),
        (ADMIN, USER_APP_PORT, False),
    ],
)
def test_each_app_answers_to_its_name(inventory: Inventory, named: str, name: str, port: int, answers: bool) -> None:
    assert answer(inventory, named, name, port) == ("HTTP/1.1 200 OK" if answers else "")


def test_the_admin_app_no_longer_answers_to_the_address(inventory: Inventory, named: str) -> None:
    assert answer(inventory, named, inventory.address(named), ADMIN_APP_PORT) == ""
    assert answer(inventory, named, inventory.address(named), USER_APP_PORT) == "HTTP/1.1 200 OK"


def test_the_certificate_is_for_no_other_name(inventory: Inventory, named: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        answer(inventory, named, "elsewhere.example.org", USER_APP_PORT)
