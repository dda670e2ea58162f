"""Rate limits per address and per account, with counts shared in the database."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from flask import Flask
from web_visitor import PASSWORD, SECRET, Maker, Visitor, with_session

from app.db.accounts import administrators, users
from app.db.core import connection
from ops.local_cluster import LocalCluster


def attempts_until_limited(visitors: list[Visitor], names: list[str], most: int = 40) -> int:
    for attempt in range(most):
        visitor = visitors[attempt % len(visitors)]
        if visitor.log_in(names[attempt % len(names)], "wrong password").status_code == 429:
            return attempt
    return most


def test_one_name_from_one_network(user_app: Flask, new_name: str) -> None:
    visitors = [Visitor(user_app, f"2001:db8:9:9::{n}") for n in range(1, 6)]
    spellings = [new_name, new_name.upper(), f" {new_name} "]
    assert attempts_until_limited(visitors, spellings) == 10


def test_guesses_do_not_lock_the_owner_out_elsewhere(user_app: Flask, new_name: str) -> None:
    owner, guesser = Visitor(user_app), Visitor(user_app)
    assert owner.sign_up(new_name).status_code == 302
    owner.send("/log-out", form_on="/account")
    assert attempts_until_limited([guesser], [new_name]) == 10
    assert guesser.log_in(new_name).status_code == 429
    assert owner.log_in(new_name).status_code == 302


@pytest.mark.parametrize("app", ["user", "admin"])
def test_guesses_from_everywhere_slow_down_all_but_the_owners_usual_place(
    make_app: Maker, new_name: str, app: str
) -> None:
    """Two apps with the same settings act as two workers."""
    workers = [make_app(app), make_app(app)]
    create = {"user": users.create_user, "admin": administrators.create}[app]
    create(new_name, PASSWORD)
    owner = Visitor(workers[0])
    assert owner.log_in(new_name).status_code == 302
    owner.send("/log-out", form_on="/account/password")
    for name in (new_name, f"{new_name}-unknown"):
        guessers = [Visitor(workers[n % 2]) for n in range(30)]  # each from its own address
        assert attempts_until_limited(guessers, [name], most=30) == 20
    refused = Visitor(workers[0]).log_in(new_name)
    assert refused.status_code == 429, "the right password, but from a new place"
    assert 0 < int(refused.headers["Retry-After"]) <= 15 * 60
    assert Visitor(workers[1], owner.address).log_in(new_name).status_code == 302


def test_many_names_from_one_address(user_app: Flask, new_name: str) -> None:
    visitor = Visitor(user_app)
    assert attempts_until_limited([visitor], [f"{new_name}-{n}" for n in range(40)]) == 20


def test_the_page_says_when_to_come_back(visitor: Visitor, new_name: str) -> None:
    attempts_until_limited([visitor], [new_name])
    response = visitor.log_in(new_name, PASSWORD)
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 15 * 60
    assert "try again in" in response.text
    assert f'value="{new_name}"' in response.text, "the name is kept"
    assert visitor.get("/log-in").status_code == 200, "opening the form isn't limited"


def test_signing_up_is_limited(user_app: Flask, new_name: str) -> None:
    """After 20 in a minute, or on a slow machine after 100 in an hour."""
    visitor = Visitor(user_app)
    answers = list(iter(lambda: visitor.sign_up(new_name, "short").status_code, 429))
    assert set(answers) == {422}
    assert 20 <= len(answers) <= 100
    again = visitor.send("/sign-up?like=Q1&next=/catalogue", {"username": new_name})
    assert (again.status_code, f'value="{new_name}"' in again.text) == (429, True)
    assert 'action="/sign-up?next=/catalogue&amp;like=Q1"' in again.text


def test_guesses_count_per_account_from_everywhere(user_app: Flask, new_name: str) -> None:
    names = [new_name, f"{new_name}-neighbour"]
    for name in names:
        users.sign_up(name, PASSWORD)
    guesser = with_session(Visitor(user_app), new_name)

    def guess(somebody: Visitor) -> int:
        return somebody.send("/account/delete", {"current": "wrong password"}).status_code

    assert [guess(guesser) for _ in range(11)] == [422] * 10 + [429]
    assert guess(with_session(Visitor(user_app), new_name)) == 429, "elsewhere with the same account"
    neighbour = with_session(Visitor(user_app, guesser.address), names[1])
    assert guess(neighbour) == 422, "at the same address with another account"


def test_refused_sign_ups_are_no_guesses(visitor: Visitor, new_name: str) -> None:
    assert [visitor.sign_up(new_name, "short").status_code for _ in range(11)] == [422] * 11
    assert visitor.sign_up(new_name).status_code == 302


PACED = {"/films/Q1/like": ({"like": "no"}, 120), "/password-hint": ({"password": "sunshine1"}, 60)}


@pytest.mark.parametrize("path", PACED)
def test_frequent_requests_are_bounded(user_app: Flask, new_name: str, path: str) -> None:
    form, most = PACED[path]
    users.sign_up(new_name, PASSWORD)
    visitor = with_session(Visitor(user_app), new_name)
    token = re.search(r'name="csrf_token" value="([^"]+)"', visitor.get("/account").text)
    assert token
    sent = {"csrf_token": token[1], **form}
    assert 429 not in {visitor.post(path, sent).status_code for _ in range(most)}
    refused = visitor.post(path, sent)
    assert (refused.status_code, "Please try again in a minute" in refused.text) == (429, True)
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    elsewhere = with_session(Visitor(user_app), new_name)
    assert elsewhere.send(path, form, form_on="/account").status_code == 429, "elsewhere with the same account"
    anybody = Visitor(user_app, visitor.address)
    assert anybody.send(path, form, form_on="/sign-up").status_code == 429, "without one at the same address"
    assert Visitor(user_app).send(path, form, form_on="/sign-up").status_code in {200, 302}


def test_the_admin_app_is_limited_and_workers_count_together(make_app: Maker, new_name: str) -> None:
    """Two apps with the same settings act as two workers: the second continues the first one's count."""
    first = Visitor(make_app("admin"))
    second = Visitor(make_app("admin"), first.address)
    assert attempts_until_limited([first], [new_name], most=6) == 6
    assert attempts_until_limited([second], [new_name]) == 4


def test_counts_are_kept_in_the_library_database(visitor: Visitor, library: LocalCluster, new_name: str) -> None:
    visitor.log_in(new_name, "wrong password")
    with library.client() as client:
        keys = [document["_id"] for document in client.movie_library.rate_limit_counters.find()]
        assert any(visitor.address in key for key in keys)
        assert not any(new_name in key for key in keys), "names are counted by their hash"
        assert "limits" not in client.list_database_names()


def test_ipv6_neighbours_share_a_limit(user_app: Flask, new_name: str) -> None:
    visitors = [Visitor(user_app, f"2001:db8:7:7::{n}") for n in range(1, 5)]
    assert attempts_until_limited(visitors, [f"{new_name}-{n}" for n in range(40)]) == 20


def test_without_the_database_each_worker_counts_for_itself(make_app: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "OPERATION_TIMEOUT_MS", 200)
    monkeypatch.setattr("app.web.limits.COUNTER_TIMEOUT_MS", 200)
    uri = "mongodb://film-library-user:x@localhost:1/?authSource=admin"
    visitor = Visitor(make_app("user", MONGODB_URI=uri))
    answers = [visitor.log_in("ann").status_code for _ in range(11)]
    assert answers == [503] * 10 + [429]


def test_a_worker_that_counted_can_stop(library: LocalCluster) -> None:
    """The storage of `limits` hangs at the interpreter's exit if something still holds the app."""
    program = """if True:
        from app.user import create_app
        app = create_app()
        for limiter in app.extensions["limiter"]:
            limiter.limiter.storage.incr("key", 60)
        app.myself = app
    """
    environment = {
        **os.environ,
        "FILM_LIBRARY_MONGODB_URI": library.uri("film-library-user"),
        "FILM_LIBRARY_SECRET_KEY": SECRET,
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, timeout=30, capture_output=True, check=True)
    assert done.stderr == b""
