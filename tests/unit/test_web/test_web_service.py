"""Health checks, settings, static files, the request log, and error pages."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from web_visitor import PASSWORD, SECRET, Maker, Visitor, with_session

from app import admin, user
from app.db.core import connection
from app.settings import SettingError
from app.web import limits
from app.web.assets import fingerprint
from app.web.request_log import JsonFormatter

NOWHERE = "mongodb://film-library-user:x@localhost:1/?authSource=admin"  # nothing listens on port 1


@pytest.fixture
def stranded(make_app: Maker, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """A visitor of the user app while its database is unavailable."""
    monkeypatch.setattr(connection, "OPERATION_TIMEOUT_MS", 200)
    monkeypatch.setattr(connection, "PING_TIMEOUT_S", 0.2)
    monkeypatch.setattr(limits, "COUNTER_TIMEOUT_MS", 200)
    return Visitor(make_app("user", MONGODB_URI=NOWHERE))


def test_health(visitor: Visitor, guest: Visitor) -> None:
    for somebody in (visitor, guest):
        for path in ("/healthz", "/readyz"):
            response = somebody.get(path)
            assert (response.status_code, response.json) == (200, {"status": "ok"})
            assert response.headers["Cache-Control"] == "no-store"


def test_without_the_database_the_app_is_alive_but_not_ready(stranded: Visitor) -> None:
    assert stranded.get("/healthz").status_code == 200
    response = stranded.get("/readyz")
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "path", ["/", "/catalogue", "/search?q=film", "/find?genre=drama", "/films/Q1", "/people/p1", "/suggest?q=film"]
)
def test_without_the_database_pages_ask_for_patience(stranded: Visitor, path: str) -> None:
    response = stranded.get(path)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "try again in a few seconds" in response.text
    assert "Traceback" not in response.text
    assert "localhost:1" not in response.text
    assert '<a class="button" href="">Try again</a>' in response.text
    assert "retry.js" in response.text


def test_without_the_database_a_post_cannot_be_retried_by_a_link(
    stranded: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stranded.app.config, "WTF_CSRF_ENABLED", False)
    response = stranded.post("/log-in", {"username": "ann", "password": PASSWORD})
    assert response.status_code == 503
    assert "may or may not have been saved" in response.text
    assert "Try again</a>" not in response.text
    assert "retry.js" not in response.text


def test_without_the_database_somebody_logged_in_gets_a_page_too(stranded: Visitor) -> None:
    with stranded.client.session_transaction() as session:
        session["_user_id"] = "a token that can't be looked up"
    assert stranded.get("/account").status_code == 503
    page = stranded.get("/no-such-page")
    assert page.status_code == 404
    assert "Log" not in page.text, "nobody knows whether in or out"


@pytest.mark.parametrize(
    ("path", "status"), [("/no-such-page", 404), ("/films/nope", 404), ("/log-out", 405), ("/catalogue?rank=x", 400)]
)
def test_a_mistake_in_the_address_doesn_t_look_like_being_logged_out(
    user_app: Flask, visitor: Visitor, path: str, status: int
) -> None:
    page = with_session(Visitor(user_app), "ann").get(path)
    assert page.status_code == status
    for shown in ('<span class="nav-name">ann</span>', "Log out", "Your likes"):
        assert shown in page.text
    assert "Log in</a>" in visitor.get(path).text


def log_of(app: Flask) -> io.StringIO:
    """The app's log from now on."""
    (handler,) = (handler for handler in app.logger.handlers if isinstance(handler.formatter, JsonFormatter))
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    handler.setStream(stream)
    return stream


def test_a_fault_of_ours_is_a_page_with_a_reference(user_app: Flask) -> None:
    @user_app.get("/fault")
    def fault() -> str:
        raise RuntimeError("the inside of the machine")

    log = log_of(user_app)
    response = Visitor(user_app).get("/fault")
    assert response.status_code == 500
    assert "the inside of the machine" not in response.text
    error, request = (json.loads(line) for line in log.getvalue().splitlines())
    assert "the inside of the machine" in error["exception"]
    assert error["request"] == request["request"]
    assert error["request"] in response.text


def test_static_files_are_kept_for_good_by_their_fingerprint(visitor: Visitor) -> None:
    assert f"/static/{fingerprint()}/base.css" in visitor.get("/").text
    kept = visitor.get(f"/static/{fingerprint()}/base.css")
    assert kept.status_code == 200
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert kept.mimetype == "text/css"
    assert visitor.get("/static/0123/base.css").headers["Cache-Control"] == "no-cache"
    for path in ("../factory.py", "%2e%2e/factory.py", "..%2ffactory.py", "nope.css"):
        assert visitor.get(f"/static/{fingerprint()}/{path}").status_code == 404


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SECRET_KEY", "short", "FILM_LIBRARY_SECRET_KEY needs at least 32"),
        ("SECRET_KEY_FALLBACKS", f"{'k' * 40},short", "FILM_LIBRARY_SECRET_KEY_FALLBACKS needs at least 32"),
        ("COOKIE_SECURE", "yes", "allowed: 0, 1"),
        ("PROXY_COUNT", "-1", "allowed: 0 to 9"),
        ("PROXY_COUNT", "many", "allowed: 0 to 9"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(make_app: Maker, name: str, value: str, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        make_app("user", **{name: value})


@pytest.mark.parametrize("factory", [user.create_app, admin.create_app])
def test_no_setting_has_an_unsafe_default(factory, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("FILM_LIBRARY_MONGODB_URI", NOWHERE)
    monkeypatch.delenv("FILM_LIBRARY_SECRET_KEY", raising=False)
    with pytest.raises(SettingError, match="FILM_LIBRARY_SECRET_KEY"):
        factory()
    monkeypatch.setenv("FILM_LIBRARY_SECRET_KEY", SECRET)
    monkeypatch.delenv("FILM_LIBRARY_COOKIE_SECURE", raising=False)
    app = factory()
    assert app.config["SESSION_COOKIE_SECURE"]
    assert not app.debug


def test_a_secret_may_come_from_a_file(make_app: Maker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k" * 40 + "\n")
    monkeypatch.setenv("FILM_LIBRARY_SECRET_KEY_FILE", str(file))
    assert make_app("user", SECRET_KEY="").config["SECRET_KEY"] == "k" * 40


def test_the_request_log_is_json_and_keeps_secrets_out(user_app: Flask) -> None:
    log = log_of(user_app)
    visitor = Visitor(user_app)
    visitor.get("/search?q=my+secret+search")
    visitor.log_in("ann", PASSWORD)
    text = log.getvalue()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("GET", "/search", 200),
        ("GET", "/log-in", 200),
        ("POST", "/log-in", 302),
    ]
    assert all(line["app"] == "user" and line["milliseconds"] >= 0 for line in lines)
    assert all(datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0) for line in lines)
    for secret in ("secret search", "my+secret", PASSWORD, "csrf", visitor.cookie()):
        assert secret not in text


def lines_of(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_the_log_says_who_was_refused_and_from_where(admin_app: Flask, user_id: Callable[..., str]) -> None:
    boss = with_session(Visitor(admin_app), "boss")
    log = log_of(admin_app)
    assert boss.get("/audit-log").status_code == 403
    assert boss.post("/import").status_code == 400  # without a token
    assert Visitor(admin_app).get("/audit-log").status_code == 302
    signed_in, forged, anonymous = lines_of(log)
    who = {"account": user_id("boss", "administrators"), "address": boss.address}
    assert who.items() <= signed_in.items()
    assert who.items() <= forged.items()
    assert "account" not in anonymous


def test_the_log_says_who_logs_in_and_which_name_was_tried(user_app: Flask, user_id: Callable[..., str]) -> None:
    log = log_of(user_app)
    visitor = Visitor(user_app)
    visitor.log_in("Ann ", "wrong password")
    visitor.log_in("ann", PASSWORD)
    visitor.send("/log-out", form_on="/account")
    lines = [line for line in lines_of(log) if line["method"] == "POST"]
    assert [(line["path"], line["status"]) for line in lines] == [("/log-in", 422), ("/log-in", 302), ("/log-out", 302)]
    assert lines[0]["name_tried"] == lines[1]["name_tried"] == hashlib.sha256(b"ann").hexdigest()
    assert [line.get("account") for line in lines] == [None, user_id("ann"), user_id("ann")]
    assert {line["address"] for line in lines} == {visitor.address}


def test_why_the_database_is_unavailable_is_logged(stranded: Visitor) -> None:
    log = log_of(stranded.app)
    stranded.get("/catalogue")
    (warning, request) = lines_of(log)
    assert (warning["level"], warning["request"]) == ("warning", request["request"])
    assert "localhost:1" in warning["message"]
    assert "film-library-user" not in warning["message"], "the log-in doesn't belong there"


def test_a_request_is_one_line_of_the_log(user_app: Flask) -> None:
    log = log_of(user_app)
    Visitor(user_app).get("/films/a%0A%7B%22level%22%3A%22forged%22%7D")
    (line,) = log.getvalue().splitlines()
    assert json.loads(line)["path"] == '/films/a\n{"level":"forged"}'


@pytest.mark.parametrize("path", ["/catalogue", "/films/Q1", "/log-in", "/find", "/search"])
def test_a_slash_at_the_end_does_no_harm(visitor: Visitor, path: str) -> None:
    assert visitor.get(f"{path}/").status_code == 200


def test_what_browsers_and_search_engines_ask_for_by_themselves(visitor: Visitor, guest: Visitor) -> None:
    for somebody in (visitor, guest):
        icon = somebody.get("/favicon.ico")
        assert somebody.get(icon.location).mimetype == "image/svg+xml"
        robots = somebody.get("/robots.txt")
        assert (robots.status_code, robots.mimetype) == (200, "text/plain")


def test_search_engines_read_films_and_nothing_of_the_admin_app(visitor: Visitor, guest: Visitor) -> None:
    assert "Disallow: /account\n" in visitor.get("/robots.txt").text
    assert guest.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"
