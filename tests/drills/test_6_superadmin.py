"""A superadmin, or who has taken over a superadmin's browser, sends the admin app bombs, forgeries and operators.

All of it is refused with a plain message, and both apps go on: the same workers, idle again, no larger than before.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any, cast
from urllib.parse import quote

import pytest
from pymongo.database import Database
from testinfra.host import Host

from ops.topology import ADMIN_APP_PORT, USER_APP_PORT
from tests.deployed import Deployment, Inventory
from tests.drills import bombs
from tests.drills.attempts_on_data import LIBRARY
from tests.drills.superadmin import Answer, Visitor, signed, superadmin, tampered
from tests.drills.test_1_power_loss import wait_for
from tests.drills.test_6_break_in import FILMS

pytestmark = pytest.mark.thorough
#: Of a worker, in MB. It has some 100 after its start; a bomb of 4 GB must not show.
MOST_MEMORY = 400
LISTS = ("movies", "credits", "user_interactions", "users", "administrators")


@dataclass(frozen=True)
class Workers:
    """Process -> its memory's peak in MB, and its CPU time in ticks."""

    peak: dict[str, float]
    ticks: dict[str, int]


def workers(host: Host, app: str) -> Workers:
    main = host.check_output("systemctl show --property=MainPID --value %s", f"film-library-{app}.service")
    pids = [main, *host.check_output("pgrep --parent %s", main).split()]
    peak = {
        pid: int(re.findall(r"VmHWM:\s+(\d+) kB", host.check_output("cat /proc/%s/status", pid))[0]) / 1024
        for pid in pids
    }
    times = {pid: host.check_output("cat /proc/%s/stat", pid).rpartition(")")[2].split() for pid in pids}
    return Workers(peak, {pid: int(found[11]) + int(found[12]) for pid, found in times.items()})


def idle(host: Host, app: str) -> bool:
    """Whether the app's processes hardly computed for a second."""
    before = workers(host, app).ticks
    time.sleep(1)  # what is measured is this second
    after = workers(host, app).ticks
    return before.keys() == after.keys() and sum(after.values()) - sum(before.values()) < 20  # of 100


@pytest.fixture(scope="module")
def library(inventory: Inventory, deployment: Deployment) -> Database[dict[str, Any]]:
    return deployment.client(inventory.routers[0], "cluster-admin")[LIBRARY]


@pytest.fixture(scope="module")
def boss(inventory: Inventory, deployment: Deployment, library: Database[dict[str, Any]]) -> Iterator[Visitor]:
    """And in the end, what all of this has left of the service."""
    host = deployment.host(inventory.group("web")[0])
    before = {app: workers(host, app).peak for app in ("user", "admin")}
    with superadmin(inventory, library) as visitor:
        assert visitor.get("/import").status == 200
        yield visitor
    for app, port in {"user": USER_APP_PORT, "admin": ADMIN_APP_PORT}.items():
        with inventory.browser().open(f"{inventory.site(inventory.group('web')[0], port)}/readyz", timeout=60) as page:
            assert page.status == 200
        wait_for(lambda app=app: idle(host, app), f"idle workers of the {app} app")
        after = workers(host, app).peak
        print(app, before[app], after)
        assert after.keys() == before[app].keys(), "a process has ended"
        assert max(after.values()) < MOST_MEMORY
    assert library["movies"].count_documents({}) == FILMS


@pytest.fixture(scope="module")
def film(library: Database[dict[str, Any]]) -> str:
    return str(cast("dict[str, Any]", library["movies"].find_one({}, {"_id": 1}))["_id"])


def message(answer: Answer) -> str:
    """What the page says is wrong."""
    assert "Traceback" not in answer.text
    found = re.findall(r'<p class="field-error"[^>]*>([^<]*)</p>', answer.text)
    return unescape(" ".join(found))


@pytest.mark.parametrize("bomb", bombs.FILES.values(), ids=bombs.FILES.keys())
def test_a_bomb_to_import(boss: Visitor, bomb: bombs.Bomb) -> None:
    answer = boss.upload("/import", "file", bomb.content(), bomb.name)
    assert answer.status == 422
    assert bomb.says in message(answer)
    assert len(answer.text) < 50_000


@pytest.mark.parametrize("bomb", bombs.JOBS.values(), ids=bombs.JOBS.keys())
def test_a_bomb_that_begins_like_films(boss: Visitor, bomb: bombs.Bomb) -> None:
    answer = boss.upload("/import", "file", bomb.content(), bomb.name, collection="movies")
    assert answer.status == 303
    job = answer.headers["Location"]
    wait_for(lambda: not json.loads(boss.get(f"{job}/state").text)["open"], "end of the job")
    page = boss.get(job)
    assert (page.status, bomb.says in page.text) == (200, True), page.text
    assert len(page.text) < 200_000


@pytest.mark.parametrize("bomb", bombs.IMAGES.values(), ids=bombs.IMAGES.keys())
def test_a_bomb_as_a_poster(boss: Visitor, film: str, bomb: bombs.Bomb) -> None:
    path = f"/collections/movies/{quote(film, safe='')}/poster"
    form = boss.get(path)
    assert form.status == 200
    answer = boss.upload(path, "picture", bomb.content(), bomb.name)
    assert answer.status == 422
    assert bomb.says in message(answer)


def test_forms_without_measure(boss: Visitor) -> None:
    token = boss.token()
    for fields in ([("username", "x" * 1_000_000)], [(f"field{n}", "x") for n in range(100_000)]):
        assert boss.post("/collections/movies/new", [("csrf_token", token), *fields]).status == 413
    parts = "".join(f'--x\r\nContent-Disposition: form-data; name="f{n}"\r\n\r\n1\r\n' for n in range(20_000))
    body = f"{parts}--x--\r\n".encode()
    answer = boss.send("POST", "/import", body, Content_Type="multipart/form-data; boundary=x", X_CSRFToken=token)
    assert answer.status == 413
    assert boss.send("GET", "/import", Accept="x" * 100_000).status in {400, 431}
    assert boss.get("/collections/movies?" + "filter=title.is.x&" * 900).status in {400, 414}


def test_uploads_that_do_not_come_keep_nobody_waiting(boss: Visitor) -> None:
    head = ["POST /import HTTP/1.1", f"Content-Length: {50 << 20}", "Content-Type: multipart/form-data; boundary=x"]
    waiting = [boss.begin(head) for _ in range(40)]
    try:
        began = time.monotonic()
        assert boss.get("/import").status == 200
        assert time.monotonic() - began < 10
    finally:
        for connection in waiting:
            connection.close()


def test_replayed_and_forged_tokens(inventory: Inventory, library: Database[dict[str, Any]], boss: Visitor) -> None:
    with superadmin(inventory, library) as other:
        good, of_other, cookie_of_other = boss.token(), other.token(), other.cookie
    key = inventory.passwords["flask_user_secret_key"]
    wrong = {
        "none": "",
        "another session's": of_other,
        "cut off": good[:-3],
        "changed": tampered(good),
        "signed with the user app's key": signed(key, {"csrf": "x"}),
        "an operator": '{"$ne": ""}',
        "long": "x" * 50_000,
    }
    fields = [("title", "Forged"), ("type", "MOVIE")]
    for name, token in wrong.items():
        answer = boss.post("/collections/movies/new", [("csrf_token", token), *fields])
        assert (answer.status, "has expired" in answer.text) == (400, True), name
    operator = boss.post("/collections/movies/new", [("csrf_token[$ne]", "x"), *fields])
    assert operator.status == 400
    for referer in ("", "https://evil.example/", boss.site.rpartition(":")[0] + "/"):
        answer = boss.post("/collections/movies/new", [("csrf_token", good), *fields], Referer=referer)
        assert answer.status == 400, referer
    replayed = Visitor(inventory, cookie_of_other).post("/collections/movies/new", [("csrf_token", of_other), *fields])
    assert (replayed.status, replayed.headers["Location"].startswith("/log-in")) == (302, True), "its session has ended"
    # The right token is let through, to the form's own checks.
    assert boss.post("/collections/movies/new", [("csrf_token", good), ("title", "")]).status == 422


def test_forged_cookies(inventory: Inventory, boss: Visitor) -> None:
    value = boss.cookie
    own, users = inventory.passwords["flask_admin_secret_key"], inventory.passwords["flask_user_secret_key"]
    forged = {
        "changed": tampered(value),
        "cut off": value[:-5],
        "content changed": "A" + value[1:],
        "unsigned": value.partition(".")[0],
        "signed with the user app's key": signed(users, {"_user_id": secrets.token_urlsafe(32)}),
        "an unknown session": signed(own, {"_user_id": secrets.token_urlsafe(32)}),
        "an operator as session": signed(own, {"_user_id": {"$ne": ""}}),
        "a list as session": signed(own, {"_user_id": ["a", "b"]}),
        "a number as session": signed(own, {"_user_id": 10**400}),
        "long": "x" * 6_000,
    }
    for name, cookie in forged.items():
        answer = Visitor(inventory, cookie).get("/collections/users")
        assert answer.status == 302, name
        assert answer.headers["Location"].startswith("/log-in"), name


OPERATORS = [
    "{name}[$ne]=x",
    "{name}[$regex]=.*",
    '{name}={{"$gt":""}}',
    "{name}=$where",
    "{name}[]=x",
    "{name}=x&{name}=y",
]
PAGES = ["/", "/audit-log", "/jobs", "/import", "/account", "/log-in", "/confirm", "/second-factor"]
PAGES += [f"/collections/{name}" for name in LISTS] + [f"/collections/{name}/new" for name in LISTS]
PAGES += [f"/pick/{name}" for name in LISTS] + ["/collections/movies/export?filter=_id.eq.none"]
#: Besides those that the pages' own links and forms have.
PARAMETERS = {"q", "after", "before", "last", "next", "by", "format", "filter", "sort", "dir", "rows", "columns"}


@pytest.mark.parametrize("path", PAGES)
def test_operators_in_every_parameter(boss: Visitor, path: str) -> None:
    page = boss.get(path)
    assert page.status < 500
    linked = re.findall(r"[?&](?:amp;)?([a-z_]+)=", page.text)
    names = sorted(PARAMETERS | set(linked) | set(re.findall(r'\sname="([a-z_]+)"', page.text)))
    for query in (operator.format(name=name) for name in names for operator in OPERATORS):
        address = f"{path}{'&' if '?' in path else '?'}{quote(query, safe='=&')}"
        answer = boss.get(address)
        assert answer.status < 500, query
        assert "Traceback" not in answer.text, query


@pytest.mark.parametrize("name", LISTS)
def test_operators_in_forms_write_nothing(boss: Visitor, library: Database[dict[str, Any]], name: str) -> None:
    count = library[name].count_documents({})
    fields = re.findall(r'\sname="([a-z_]+)"', boss.get(f"/collections/{name}/new").text)
    token = [("csrf_token", boss.token())]
    for shape in ([("{}[$ne]", "x")], [("{}.$gt", "")], [("{}", '{"$ne": null}')], [("{}[]", "x"), ("{}[]", "y")]):
        sent = [(pattern.format(field), text) for field in set(fields) - {"csrf_token"} for pattern, text in shape]
        assert boss.post(f"/collections/{name}/new", token + sent).status in {400, 404, 422}
    deletion = [("action", "delete"), ("step", "run"), ("confirm[$ne]", "0"), *token]
    for chosen in (("ids[$ne]", ""), ("ids", '{"$ne": ""}'), ("all[$ne]", "0"), ("all", "1")):
        assert boss.post(f"/collections/{name}/bulk", [chosen, *deletion]).status in {200, 303, 400, 404, 422}
    assert library[name].count_documents({}) == count
