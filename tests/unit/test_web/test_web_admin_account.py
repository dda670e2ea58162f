"""Administrators' own accounts: expired passwords, confirmation, sessions and the second factor."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from flask import Flask
from web_form import Form
from web_visitor import PASSWORD, Maker, Visitor, with_session

from app.db import operations
from app.db.accounts import administrators, users
from app.db.core import now
from ops.local_cluster import LocalCluster

OTHER = "four blind mice 1928"
HOME = "/collections/movies"


@pytest.fixture
def forget(library: LocalCluster) -> Callable[[], None]:
    """Makes all administrators' confirmations old."""

    def forget() -> None:
        with library.client() as client:
            long_ago = {"$set": {"confirmed_at": now() - timedelta(hours=1)}}
            client.movie_library.admin_sessions.update_many({}, long_ago)

    return forget


def new_password(visitor: Visitor, current: str, new: str) -> Any:
    return visitor.send("/account/password", {"current": current, "password": new, "repeated": new})


# -- passwords


def test_a_password_that_somebody_else_set_works_once(root: Visitor, new_name: str) -> None:
    page = "/collections/administrators/new"
    assert root.send(page, {"username": new_name, "password": PASSWORD, "admin_status": "1"}).status_code == 302
    admin = Visitor(root.app)
    assert admin.log_in(new_name).status_code == 302
    for address in ("/", HOME, f"{HOME}/export", "/account", "/second-factor/set-up"):
        assert admin.get(address).location.startswith("/account/password?next=/"), address
    assert admin.send(f"{HOME}/bulk", {"all": "1"}, form_on="/account/password").location.startswith(
        "/account/password"
    )
    assert admin.get(HOME, headers={"X-Requested-With": "dialog"}).status_code == 401
    assert "Somebody else set your password" in admin.page("/account/password")
    assert new_password(admin, PASSWORD, PASSWORD).status_code == 422
    assert new_password(admin, "wrong horse", OTHER).status_code == 422
    changed = admin.send(f"/account/password?next={HOME}", {"current": PASSWORD, "password": OTHER, "repeated": OTHER})
    assert changed.location == HOME
    assert admin.get(HOME).status_code == 200
    assert Visitor(root.app).log_in(new_name).status_code == 422
    assert "New password" in root.page("/audit-log", username=new_name)


def test_a_reset_password_works_once(root: Visitor, new_name: str) -> None:
    made = administrators.create(new_name, PASSWORD, expired=False)
    admin = with_session(Visitor(root.app), new_name)
    assert admin.get(HOME).status_code == 200
    edit = f"/collections/administrators/{made['_id']}/edit"
    assert root.post(edit, {**Form(root.page(edit), edit).values, "password": OTHER}).status_code == 302
    assert admin.get(HOME).location.startswith("/log-in")
    assert admin.log_in(new_name, OTHER).status_code == 302
    assert admin.get(HOME).location.startswith("/account/password")


def test_a_new_password_ends_other_sessions(admin_app: Flask, new_name: str) -> None:
    administrators.create(new_name, PASSWORD, expired=False)
    admin, other = (with_session(Visitor(admin_app), new_name) for _ in range(2))
    old = admin.cookie()
    assert new_password(admin, PASSWORD, OTHER).location == "/account"
    assert admin.get(HOME).status_code == 200
    assert other.get(HOME).status_code == 302
    other.use_cookie(old)
    assert other.get(HOME).status_code == 302


# -- confirming the password


def test_accounts_need_the_password_again(
    root: Visitor, user_id: Callable[..., str], forget: Callable[[], None], new_name: str
) -> None:
    users.create_user(new_name, PASSWORD)
    for record in (f"users/{user_id(new_name)}", f"administrators/{user_id('boss', 'administrators')}"):
        addresses = [f"/collections/{record}/{page}" for page in ("edit", "delete")]
        forms = {address: Form(root.page(address), address).values for address in addresses}
        forget()
        for address, values in forms.items():
            assert root.get(address).location == f"/confirm?next={address}"
            refused = root.post(address, {**values, "username": "renamed", "password": OTHER, "cascade": "1"})
            assert refused.status_code == 422
            assert 'href="/confirm"' in refused.text
        confirm(root)
    assert users.authenticate(new_name, PASSWORD) is not None
    assert administrators.authenticate("boss", PASSWORD) is not None


def confirm(visitor: Visitor) -> None:
    assert visitor.send("/confirm", {"current": PASSWORD}).location == "/account"


def test_exports_and_bulk_deletion_need_the_password_again(
    root: Visitor, forget: Callable[[], None], new_name: str
) -> None:
    operations.insert_one("movies", {"_id": new_name, "title": "Unloved", "type": "MOVIE"})
    form = f"{HOME}/new"
    token = {"csrf_token": Form(root.page(form), form).values["csrf_token"]}
    forget()
    export = root.get(f"{HOME}/export?format=csv")
    assert export.location.startswith("/confirm?next=/collections/movies")
    bulk = {**token, "ids": new_name, "action": "delete", "step": "run", "confirm": "1"}
    refused = root.post(f"{HOME}/bulk", bulk)
    assert refused.status_code == 422
    assert 'href="/confirm"' in refused.text
    assert root.send(export.location, {"current": "wrong horse"}).status_code == 422
    assert root.get(f"{HOME}/export").status_code == 302
    back = root.send(export.location, {"current": PASSWORD}).location
    assert back.startswith(HOME)
    assert root.get(f"{HOME}/export").status_code == 200
    assert root.post(f"{HOME}/bulk", bulk).status_code == 303
    operations.delete_document("movies", new_name)


def test_guesses_at_confirming_are_limited(admin_app: Flask, new_name: str) -> None:
    administrators.create(new_name, PASSWORD, expired=False)
    admin = with_session(Visitor(admin_app), new_name)
    assert [admin.send("/confirm", {"current": "wrong"}).status_code for _ in range(11)] == [422] * 10 + [429]


# -- sessions


@pytest.mark.parametrize("kind", ["user", "admin"])
def test_sessions_are_listed_and_ended(make_app: Maker, new_name: str, kind: str) -> None:
    app = make_app(kind)
    create = {"user": users.create_user, "admin": lambda *given: administrators.create(*given, expired=False)}[kind]
    create(new_name, PASSWORD)
    create(f"{new_name}-other", PASSWORD)
    mine, phone, other = Visitor(app), Visitor(app), Visitor(app)
    agents = (
        (mine, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        (
            phone,
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
        ),
        (other, "<script>alert(1)</script>"),
    )
    for visitor, agent in agents:
        visitor.client.environ_base["HTTP_USER_AGENT"] = agent
        assert visitor.log_in(f"{new_name}-other" if visitor is other else new_name).status_code == 302
    page = mine.page("/account")
    assert [name in page for name in ("Firefox on Linux", "Safari on iPhone", "Unknown browser")] == [True, True, False]
    (handle,) = re.findall(r'name="session" value="([0-9a-f]{64})"', page)
    assert other.send("/account/sessions/end", {"session": handle}, form_on="/account").status_code == 302
    assert phone.get("/account").status_code == 200, "ended by somebody else"
    assert mine.send("/account/sessions/end", {"session": handle}, form_on="/account").location == "/account"
    assert phone.get("/account").status_code == 302
    assert mine.get("/account").status_code == other.get("/account").status_code == 200
    assert phone.log_in(new_name).status_code == 302
    mine.send("/account/sessions/end", {"session": "others"}, form_on="/account")
    assert phone.get("/account").status_code == 302
    assert mine.get("/account").status_code == other.get("/account").status_code == 200


# -- the second factor


def secret_of(page: str) -> str:
    found = re.search(r'class="secret">([A-Z2-7 ]+)<', page)
    assert found
    return found[1].replace(" ", "")


def code(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(int(time.time()) + 30 * steps)


def test_a_superadmin_must_set_up_a_second_factor(admin_app: Flask, new_name: str) -> None:
    administrators.create(new_name, PASSWORD, 2, expired=False)
    admin = Visitor(admin_app)
    assert admin.log_in(new_name).location == "/"
    for address in ("/", HOME, "/audit-log", "/account"):
        assert admin.get(address).location.startswith("/second-factor/set-up"), address
    page = admin.page("/second-factor/set-up")
    assert '<svg width="' in page
    secret = secret_of(page)
    assert secret_of(admin.page("/second-factor/set-up")) == secret, "a reload shows the same"
    wrong = admin.send("/second-factor/set-up", {"code": "12345"})
    assert (wrong.status_code, secret_of(wrong.text)) == (422, secret)
    assert admin.get(HOME).status_code == 302
    done = admin.send("/second-factor/set-up", {"code": code(secret, -1)})
    codes = re.findall(r"<li><code>([a-z2-7-]{29})</code>", done.text)
    assert len(codes) == 10
    assert done.headers["Cache-Control"] == "no-store"
    assert admin.get(HOME).status_code == 200
    assert secret_of(admin.page("/second-factor/set-up")) != secret, "only to replace it"

    again = Visitor(admin_app)
    again.log_in(new_name)
    for address in ("/", HOME, "/account/password", "/second-factor/set-up"):
        assert again.get(address).location.startswith("/second-factor?"), address
    assert again.send("/second-factor/recovery-codes", form_on="/second-factor").location.startswith("/second-factor")
    for used in (code(secret, -1), "000000", codes[0][:-1]):
        assert again.send("/second-factor", {"code": used}).status_code == 422
    assert again.send(f"/second-factor?next={HOME}", {"code": code(secret, 1)}).location == HOME
    assert again.get(HOME).status_code == 200

    third = Visitor(admin_app)
    third.log_in(new_name)
    assert third.send("/second-factor", {"code": codes[0]}).location == "/"
    assert "9 recovery codes left" in third.page("/account")
    new = third.send("/second-factor/recovery-codes", form_on="/account").text
    assert len(re.findall(r"<li><code>", new)) == 10
    assert new_password(third, PASSWORD, OTHER).location == "/account"
    assert third.get(HOME).status_code == 200, "the new session keeps the factor"


def test_an_admin_may_have_a_second_factor(admin_app: Flask, new_name: str, forget: Callable[[], None]) -> None:
    administrators.create(new_name, PASSWORD, expired=False)
    admin = with_session(Visitor(admin_app), new_name)
    assert admin.get(HOME).status_code == 200
    forget()
    assert admin.get("/second-factor/set-up").location.startswith("/confirm?next=/second-factor/set-up")
    confirm(admin)
    secret = secret_of(admin.page("/second-factor/set-up"))
    assert admin.send("/second-factor/set-up", {"code": code(secret)}).status_code == 200
    assert "recovery codes left" in admin.page("/account")


def test_a_confirmation_and_the_factor_bring_a_new_token(admin_app: Flask, new_name: str) -> None:
    """Who copied the cookie before gains nothing by them, and forms that are open stay good."""
    administrators.create(new_name, PASSWORD, expired=False)
    admin, thief = with_session(Visitor(admin_app), new_name), Visitor(admin_app)
    log_out = {"csrf_token": Form(admin.page("/account/password"), "/account/password").values["csrf_token"]}

    def send(path: str, **form: str) -> None:
        thief.use_cookie(admin.cookie())
        assert admin.send(path, form).status_code in {200, 302}
        assert (thief.get(HOME).location or "").startswith("/log-in"), path

    send("/confirm", current=PASSWORD)
    secret = secret_of(admin.page("/second-factor/set-up"))
    send("/second-factor/set-up", code=code(secret, -1))
    assert admin.get(HOME).status_code == 200
    assert admin.post("/log-out", log_out).status_code == 302
    admin.log_in(new_name)
    send("/second-factor", code=code(secret))
    assert admin.get(HOME).status_code == 200


def test_guesses_at_codes_are_limited(admin_app: Flask, new_name: str) -> None:
    administrators.create(new_name, PASSWORD, expired=False)
    first = with_session(Visitor(admin_app), new_name)
    first.send("/second-factor/set-up", {"code": code(secret_of(first.page("/second-factor/set-up")))})
    guessers = [Visitor(admin_app) for _ in range(2)]
    for guesser in guessers:
        guesser.log_in(new_name)
    answers = [guessers[n % 2].send("/second-factor", {"code": "12345"}).status_code for n in range(11)]
    assert answers == [422] * 10 + [429]
    assert first.get(HOME).status_code == 200
