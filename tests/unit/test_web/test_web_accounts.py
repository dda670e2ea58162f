"""Sign-up, log-in, log-out, and access."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from web_visitor import PASSWORD, Maker, Visitor, with_session

from app.web.accounts import local_target
from ops.local_cluster import LocalCluster


def test_sign_up_logs_in_and_the_account_page_opens(visitor: Visitor, new_name: str) -> None:
    assert visitor.get("/account").status_code == 302
    response = visitor.sign_up(new_name)
    assert (response.status_code, response.location) == (302, "/")
    assert f"Welcome, {new_name}" in visitor.get("/").text
    assert new_name in visitor.get("/account").text


def test_log_in_goes_on_to_the_page_asked_for(visitor: Visitor) -> None:
    wanted = visitor.get("/account")
    assert wanted.location == "/log-in?next=%2Faccount"
    assert visitor.send(wanted.location, {"username": "Ann ", "password": PASSWORD}).location == "/account"


def test_log_out_ends_the_session_on_the_server(visitor: Visitor, library: LocalCluster) -> None:
    visitor.log_in("ann")
    copy = visitor.cookie()
    thief = Visitor(visitor.app)
    thief.use_cookie(copy)
    assert thief.get("/account").status_code == 200, "the copy must work before logging out, or this proves nothing"

    assert visitor.send("/log-out", form_on="/account").status_code == 302
    assert visitor.get("/account").status_code == 302
    assert thief.get("/account").status_code == 302


def test_logging_in_drops_the_previous_session(visitor: Visitor) -> None:
    visitor.get("/log-in")
    with visitor.client.session_transaction() as session:
        session["planted"] = "by somebody else"
        token = session["csrf_token"]
    planted = visitor.cookie()
    visitor.log_in("ann")
    visitor.get("/account")
    with visitor.client.session_transaction() as session:
        assert "planted" not in session
        assert session["csrf_token"] != token
    attacker = Visitor(visitor.app)
    attacker.use_cookie(planted)
    assert attacker.get("/account").status_code == 302


def test_the_cookie_and_the_database_do_not_reveal_each_other(visitor: Visitor, library: LocalCluster) -> None:
    """The database stores the token's hash."""
    visitor.log_in("ann")
    with visitor.client.session_transaction() as session:
        token = session["_user_id"]
    with library.client() as client:
        stored = client.movie_library.sessions.find().to_list()
        assert stored
        assert all(token not in str(document) for document in stored)
        assert client.movie_library.users.find_one({"username": "ann"})["_id"] not in str(token)


def test_wrong_name_and_wrong_password_look_the_same(visitor: Visitor, new_name: str) -> None:
    def refusal(name: str) -> str:
        response = visitor.log_in(name, "wrong password")
        assert response.status_code == 422
        main = response.text[response.text.index("<main") : response.text.index("<form", response.text.index("<main"))]
        return main.replace(name, "NAME")

    assert refusal("ann") == refusal(new_name)
    assert "Wrong name or password" in refusal("ann")


def test_a_password_is_taken_exactly_as_typed(visitor: Visitor, new_name: str) -> None:
    long = f"  Four Blind Mice 1928 {'ä' * 90}  "
    assert visitor.sign_up(new_name, long).status_code == 302
    for other in (long.strip(), long.lower(), long[:-1], long[:72], long[:64]):
        assert Visitor(visitor.app).log_in(new_name, other).status_code == 422
    assert Visitor(visitor.app).log_in(new_name, long).status_code == 302


@pytest.mark.parametrize(
    ("name", "account", "paths"),
    [
        ("user", "ann", ["/sign-up", "/log-in", "/account/password", "/account/delete"]),
        ("admin", "boss", ["/log-in", "/account/password", "/confirm"]),
    ],
)
def test_password_managers_know_every_password_field(
    make_app: Maker, name: str, account: str, paths: list[str]
) -> None:
    app = make_app(name)
    anybody, owner = Visitor(app), with_session(Visitor(app), account)
    for path in paths:
        page = (anybody if path in ("/sign-up", "/log-in") else owner).page(path)
        fields = re.findall(r'<input[^>]*name="(?:current|password|repeated)"[^>]*>', page)
        assert fields
        for field in fields:
            assert 'type="password"' in field
            assert re.search('autocomplete="(new|current)-password"', field)
            assert "onpaste" not in field


@pytest.mark.parametrize(
    ("name", "password", "repeated", "says"),
    [
        ("", PASSWORD, PASSWORD, "Choose a name"),
        ("ab", PASSWORD, PASSWORD, "3 to 64"),
        ("with space", PASSWORD, PASSWORD, "3 to 64"),
        ("x" * 65, PASSWORD, PASSWORD, "too long"),
        ("zoe", "short", "short", "at least 8"),
        ("zoe", "password", "password", "field-error"),
        ("zoe", PASSWORD, PASSWORD + "!", "don&#39;t match"),
        ("ANN", PASSWORD, PASSWORD, "taken"),
        ("Admin", PASSWORD, PASSWORD, "reserved"),
    ],
)
def test_sign_up_shows_errors_beside_fields(
    visitor: Visitor, name: str, password: str, repeated: str, says: str
) -> None:
    response = visitor.send("/sign-up", {"username": name, "password": password, "repeated": repeated})
    assert response.status_code == 422
    assert says in response.text
    assert 'aria-invalid="true"' in response.text
    assert f'value="{password}"' not in response.text, "the password was sent back"
    assert visitor.get("/account").status_code == 302
    assert "<title>Error: Sign up" in response.text


@pytest.mark.parametrize(("name", "says"), [("x y", "3 to 64"), ("ann", "taken")])
def test_sign_up_shows_all_errors_and_focuses_the_first(visitor: Visitor, name: str, says: str) -> None:
    page = visitor.send("/sign-up", {"username": name, "password": "password1", "repeated": ""}).text
    name_error, password_error, repeated_error = re.findall(r'class="field-error"[^>]*>([^<]*)<', page)
    assert says in name_error
    assert "common password" in password_error
    assert repeated_error == "Enter the password again."
    assert re.findall(r"<input[^>]*autofocus[^>]*>", page) == re.findall(r'<input[^>]*name="username"[^>]*>', page)
    assert "autofocus" not in visitor.get("/sign-up").text


@pytest.mark.parametrize(("app", "name"), [("user", "boss"), ("admin", "ann")])
def test_each_app_treats_the_others_accounts_as_unknown(make_app: Maker, app: str, name: str) -> None:
    visitor = Visitor(make_app(app))
    right, unknown = visitor.log_in(name), visitor.log_in("nobody")
    assert right.status_code == 422
    assert without_forms(right.text, name) == without_forms(unknown.text, "nobody")


def without_forms(page: str, name: str) -> str:
    """The page without what always differs: the name typed, and the token."""
    return re.sub(r'value="[^"]*"', "", page.replace(name, ""))


def test_a_user_may_have_an_administrators_name(make_app: Maker, library: LocalCluster) -> None:
    assert Visitor(make_app("user")).sign_up("boss", "four blind mice 1928").status_code == 302
    guest = Visitor(make_app("admin"))
    try:
        assert guest.log_in("boss", "four blind mice 1928").status_code == 422
        assert guest.log_in("boss").status_code == 302
    finally:
        with library.client() as client:
            client.movie_library.users.delete_one({"username": "boss"})


def test_an_administrator_who_is_deleted_is_out_at_once(admin_app: Flask, new_name: str, library: LocalCluster) -> None:
    with library.client() as client:
        administrators = client.movie_library.administrators
        boss = administrators.find_one({"username": "boss"})
        assert boss is not None
        administrators.insert_one({**boss, "_id": new_name, "username": new_name})
        deleted = with_session(Visitor(admin_app), new_name)
        assert deleted.get("/").status_code == 200
        administrators.delete_one({"_id": new_name})
    assert deleted.get("/").status_code == 302


def test_a_session_of_the_user_app_opens_nothing_in_the_admin_app(user_app: Flask, admin_app: Flask) -> None:
    """Both apps share a database. With equal keys the cookie's signature is valid, but the session must not be."""
    visitor = Visitor(user_app)
    visitor.log_in("ann")
    intruder = Visitor(admin_app)
    intruder.use_cookie(visitor.cookie())
    assert intruder.get("/").status_code == 302


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/account", "/account"),
        ("/search?q=a&after=b", "/search?q=a&after=b"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("https://evil.example/", "/"),
        ("evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_logging_in_never_leads_to_another_site(target: str | None, expected: str) -> None:
    assert local_target(target, "/") == expected
