"""Somebody who is already somewhere tries to get further. Everything is refused, and the library stays up.

Other tests try what needs no damage: ports (test_firewall.py), certificates (test_tls.py), passwords and the localhost
exception (test_authentication.py). docs/security.md has the list of all attempts.
"""

from __future__ import annotations

import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from ops.topology import ADMIN_APP_PORT, MONGOS_PORT, REDIRECT_PORT, USER_APP_PORT
from tests.attempts import passes
from tests.cluster.test_user_app import Person
from tests.deployed import Client, Deployment, Inventory
from tests.drills.attempts_on_data import BY_USER, LIBRARY
from tests.drills.capture import recorded
from tests.drills.superadmin import tampered

UNAUTHORIZED, COMMAND_NOT_FOUND = 13, 59
FILMS = 17_472

attempts_on_data = pytest.mark.parametrize(
    ("user", "attempt"),
    [
        pytest.param(user, attempt, id=f"{user}: {name}")
        for user, some in BY_USER.items()
        for name, attempt in some.items()
    ],
)


@attempts_on_data
def test_a_stolen_database_password(
    deployment: Deployment, inventory: Inventory, user: str, attempt: Callable[[Client], Any]
) -> None:
    router = deployment.client(inventory.routers[0], user)
    assert router.admin.command("ping")["ok"]
    with pytest.raises(OperationFailure) as refused:
        attempt(router)
    assert refused.value.code == UNAUTHORIZED, refused.value


def test_the_monitors_password_on_every_member(deployment: Deployment, inventory: Inventory) -> None:
    """Members know it, too. Some of the commands only a router knows."""
    for member in inventory.members:
        for name, attempt in BY_USER["monitor"].items():
            with pytest.raises(OperationFailure) as refused:
                attempt(deployment.client(member, "monitor"))
            assert refused.value.code in (UNAUTHORIZED, COMMAND_NOT_FOUND), (str(member), name, refused.value)


def test_a_wrong_password_is_in_the_members_log(deployment: Deployment, inventory: Inventory) -> None:
    """With the name that was tried, and from where."""
    for member in inventory.members:
        name = f"intruder-{secrets.token_hex(4)}"
        with deployment.new_client(member, name, "a guess") as client, pytest.raises(OperationFailure):
            client.admin.command("ping")
        log = deployment.host(member.host).check_output("grep %s /var/log/mongodb/%s.log", name, member.name)
        assert any("Authentication failed" in line and "127.0.0.1" in line for line in log.splitlines()), log


def test_the_hole_of_the_predecessor(inventory: Inventory) -> None:
    """It listened to the world without a password. From outside, members can't be reached at all."""
    members = [(inventory.address(member.host), member.port) for member in inventory.members]
    assert [target for target in members if passes(target)] == []
    assert passes((inventory.address(inventory.routers[0].host), MONGOS_PORT)), "from here even the router is shut"


def test_nothing_on_the_wire_helps(inventory: Inventory, deployment: Deployment, tmp_path: Path) -> None:
    """A record of all that two hosts send and receive, while people log in and the hosts talk to each other."""
    web, member = inventory.group("web")[0], inventory.members[0].host
    marker = "a-plain-request-to-see-that-the-record-works"
    files = {name: tmp_path / name for name in (web, member)}
    with (
        recorded(inventory.address(web), files[web]),
        recorded(inventory.address(member), files[member]),
    ):
        urllib.request.build_opener(_NoRedirect).open(
            f"http://{inventory.address(web)}:{REDIRECT_PORT}/{marker}", timeout=20
        )
        person = Person(inventory)
        person.sign_up()
        deployment.host(web).check_output("film-library status")
        wanted = {*inventory.passwords.values(), person.name, person.password, *person.cookies()}
        with deployment.new_client(
            inventory.routers[0], "cluster-admin", inventory.passwords["cluster_admin"]
        ) as router:
            account = router[LIBRARY]["users"].find_one({"username": person.name})
        assert account
        wanted.add(account["password_hash"])
        person.leave()
    records = {name: file.read_bytes() for name, file in files.items()}
    assert marker.encode() in records[web]
    assert all(len(record) > 50_000 for record in records.values()), "hardly anything was recorded"
    found = {(name, secret) for name, record in records.items() for secret in wanted if secret.encode() in record}
    assert found == set()
    for words in (b"saslStart", b"$clusterTime", b"csrf_token"):
        assert not any(words in record for record in records.values()), words


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None

    def http_error_308(self, _: Any, response: Any, *__: Any) -> Any:
        return response


def test_cookies_of_one_app_open_nothing_in_the_other(inventory: Inventory) -> None:
    """Not even under the other's name."""
    person = Person(inventory)
    person.sign_up()
    (value,) = person.cookies()
    admin = inventory.site(inventory.group("web")[0], ADMIN_APP_PORT)
    for name in ("__Host-film-library-admin", "__Host-film-library-user"):
        assert "/log-in" in landed_at(inventory, f"{admin}/collections/users", f"{name}={value}")
    person.leave()


def test_cookies_end_with_the_session_and_cannot_be_forged(inventory: Inventory) -> None:
    person = Person(inventory)
    person.sign_up()
    (value,) = person.cookies()
    site = inventory.site(inventory.group("web")[0], USER_APP_PORT)
    account, cookie = f"{site}/account", f"__Host-film-library-user={value}"
    assert landed_at(inventory, account, cookie) == account
    forged = f"__Host-film-library-user={tampered(value)}"
    assert "/log-in" in landed_at(inventory, account, forged)
    person.send("/log-out", "/account")
    assert "/log-in" in landed_at(inventory, account, cookie), "a copy of the cookie still works"
    person.log_in()
    person.leave()


def landed_at(inventory: Inventory, url: str, cookie: str) -> str:
    """The address after redirects of somebody who sends this cookie."""
    browser = inventory.browser(urllib.request.HTTPCookieProcessor(CookieJar()))
    browser.addheaders = [("Cookie", cookie)]
    with browser.open(url, timeout=60) as page:
        return str(page.url)


OPERATORS = ["?q[$ne]=x", '?q={"$gt":""}', "?page[$where]=1", "?sort=$where", "?genre[$regex]=.*", "?q=" + "[" * 5000]


@pytest.mark.parametrize("query", OPERATORS, ids=lambda query: query[:20])
@pytest.mark.parametrize("path", ["/search", "/catalogue", "/people"])
def test_operators_in_parameters(inventory: Inventory, path: str, query: str) -> None:
    """They are text, or refused, and never an error of the server."""
    site = inventory.site(inventory.group("web")[0], USER_APP_PORT)
    url = f"{site}{path}?{urllib.parse.quote(query[1:], safe='=&')}"
    try:
        with inventory.browser().open(url, timeout=60) as page:
            status = page.status
    except urllib.error.HTTPError as error:
        status = error.code
    assert status < 500


def test_signing_up_as_an_administrator(inventory: Inventory, deployment: Deployment) -> None:
    person = Person(inventory)
    person.sign_up(admin_status="2", **{"admin_status[$ne]": "0", "role": "superadmin"})
    library = deployment.client(inventory.routers[0], "cluster-admin")[LIBRARY]
    account = library["users"].find_one({"username": person.name})
    assert account
    assert "admin_status" not in account
    assert library["administrators"].find_one({"username": person.name}) is None
    person.leave()


def test_the_library_is_as_it_was(inventory: Inventory, deployment: Deployment) -> None:
    client = deployment.client(inventory.routers[0], "cluster-admin")
    assert client[LIBRARY]["movies"].count_documents({}) == FILMS
    assert "READ_ME" not in client.list_database_names()
    for port in (USER_APP_PORT, ADMIN_APP_PORT):
        with inventory.browser().open(f"{inventory.site(inventory.group('web')[0], port)}/readyz", timeout=60) as page:
            assert page.status == 200
