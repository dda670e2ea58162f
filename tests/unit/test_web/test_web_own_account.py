"""One's own account: change the password, download the data, delete it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_visitor import PASSWORD, Visitor, with_session

from app.db.accounts import users
from app.db.likes import likes

OTHER = "four blind mice 1928"
Find = Callable[[str], str]


@pytest.fixture
def member(visitor: Visitor, new_name: str) -> Visitor:
    """Somebody with an account of the name `new_name`, logged in."""
    users.sign_up(new_name, PASSWORD)
    return with_session(visitor, new_name)


@pytest.mark.parametrize("path", ["/account/password", "/account/delete", "/sign-up", "/log-in"])
def test_an_opened_form_shows_no_errors(user_app: Flask, member: Visitor, path: str) -> None:
    response = (member if path.startswith("/account") else Visitor(user_app)).get(path)
    assert response.status_code == 200
    assert "<form" in response.text
    assert "field-error" not in response.text
    assert "Error:" not in response.text


def test_a_new_password_ends_other_sessions(member: Visitor, new_name: str) -> None:
    other = with_session(Visitor(member.app), new_name)
    assert other.get("/account").status_code == 200
    with member.client.session_transaction() as session:
        copied = session["_user_id"]
    sent = member.send("/account/password", {"current": PASSWORD, "password": OTHER, "repeated": OTHER})
    assert (sent.status_code, sent.location) == (302, "/account")
    assert "Your password has been changed" in member.get("/account").text
    assert other.get("/account").status_code == 302
    with other.client.session_transaction() as session:
        session["_user_id"] = copied
    assert other.get("/account").status_code == 302, "a copied cookie outlives the password"
    assert other.log_in(new_name).status_code == 422
    assert other.log_in(new_name, OTHER).status_code == 302


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "Enter your current password"),
        ({"current": "wrong password"}, "This isn&#39;t your password"),
        ({"password": "short", "repeated": "short"}, "at least 8"),
        ({"password": "sunshine1", "repeated": "sunshine1"}, "very common password"),
        ({"repeated": OTHER + "!"}, "don&#39;t match"),
        ({"password": "sunshine1", "repeated": ""}, "very common password"),
        ({"password": PASSWORD, "repeated": PASSWORD}, "the password that you have"),
    ],
)
def test_a_refused_password_is_explained(member: Visitor, new_name: str, fields: dict[str, str], says: str) -> None:
    form = {"current": PASSWORD, "password": OTHER, "repeated": OTHER, **fields} if fields else {}
    answer = member.send("/account/password", form)
    assert answer.status_code == 422
    assert says in answer.text
    assert not any(f'value="{secret}"' in answer.text for secret in (PASSWORD, OTHER)), "a password was sent back"
    assert Visitor(member.app).log_in(new_name).status_code == 302


def test_guessing_the_current_password_is_limited(member: Visitor) -> None:
    form = {"current": "wrong password", "password": OTHER, "repeated": OTHER}
    answers = [member.send("/account/password", form).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    answers = [member.send("/account/delete", {"current": "wrong password"}).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


def test_deleting_the_account_leaves_nothing(member: Visitor, new_name: str, user_id: Find) -> None:
    identifier = user_id(new_name)
    likes.like(identifier, "Q1")
    copy = member.cookie()
    assert "your 1 like" in member.get("/account/delete").text
    refused = member.send("/account/delete", {"current": "wrong password"})
    assert (refused.status_code, "This isn&#39;t your password" in refused.text) == (422, True)
    assert member.send("/account/delete", {"current": PASSWORD}).location == "/"
    assert "have been deleted" in member.get("/").text
    thief = Visitor(member.app)
    thief.use_cookie(copy)
    assert thief.get("/account").status_code == 302
    assert likes.count(identifier) == 0
    assert not users.exists(new_name)
    assert member.sign_up(new_name).status_code == 302, "the name is free again"


def test_the_data_can_be_downloaded(member: Visitor, new_name: str, user_id: Find, visitor: Visitor) -> None:
    likes.like(user_id(new_name), "Q1")
    answer = member.get("/account/export")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="film-library-{new_name}.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    data = json.loads(answer.text)
    assert data["account"]["name"] == new_name
    assert [film["title"] for film in data["likes"]] == ["The Long Film"]
    assert "argon2" not in answer.text


@pytest.mark.parametrize("path", ["/account", "/account/password", "/account/delete", "/account/export", "/likes"])
def test_an_account_is_its_owners(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).location.startswith("/log-in?next=")


def test_a_password_is_checked_while_it_is_typed(visitor: Visitor, member: Visitor, new_name: str) -> None:
    def judged(password: str, username: str = "") -> str | None:
        answer = visitor.send("/password-hint", {"password": password, "username": username}, form_on="/account/delete")
        problem: str | None = json.loads(answer.text)["problem"]
        return problem

    assert judged(OTHER) is None
    assert "very common" in (judged("sunshine1") or "")
    assert "user name" in (judged(f"{OTHER} {new_name}") or "")
    assert judged(f"{OTHER} beeblebrox", "beeblebrox") is None, "when logged in, only the account's name counts"


FORMS = {
    "/sign-up": ["username", "password", "repeated"],
    "/log-in": ["username", "password"],
    "/account/password": ["current", "password", "repeated"],
    "/account/delete": ["current"],
    "/password-hint": ["username", "password"],
}


@pytest.mark.parametrize("path", FORMS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_form_is_a_server_error(user_app: Flask, member: Visitor, path: str, data: st.DataObject) -> None:
    somebody = Visitor(user_app)  # from a new address, so that nothing is limited
    if path.startswith("/account"):
        somebody.use_cookie(member.cookie())
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    form = {name: data.draw(st.one_of(st.none(), texts, st.just(PASSWORD)), name) for name in FORMS[path]}
    query = data.draw(st.sampled_from(["", "?next=//evil.example", "?like=Q1", "?like=%00", "?like=..&next=%0d"]))
    if form.get("current") == PASSWORD:
        return  # that would be a valid request
    sent = {name: value for name, value in form.items() if value is not None}
    answer = somebody.send(path + query, sent, form_on="/sign-up" if path == "/password-hint" else path)
    assert answer.status_code in {200, 302, 400, 422, 429}
