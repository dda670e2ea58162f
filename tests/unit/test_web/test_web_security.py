"""Headers, CSRF, cookies and hosts, on all routes in both apps' URL maps."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from web_visitor import SECRET, Maker, Visitor, with_session

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}
#: What no route names: repositories, settings, backups, directories.
NOT_SERVED = ["/.git/HEAD", "/.env", "/static/", "/static/0/", "/app/settings.py", "/static/0/%252e%252e/factory.py"]
ARGUMENTS = {"film_id": "Q1", "name": "movies", "version": "0", "filename": "base.css"}


def addresses(app: Flask, method: str) -> Iterator[str]:
    """All addresses of the app that accept a method."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()):
            yield adapter.build(
                rule.endpoint, {name: ARGUMENTS.get(name, "anything") for name in rule.arguments}, method
            )


@pytest.mark.parametrize("name", ["user", "admin"])
def test_every_response_has_the_security_headers(make_app: Maker, name: str) -> None:
    app = make_app(name)
    visitor = Visitor(app)
    responses = [visitor.get(address) for address in addresses(app, "GET")]
    responses += [visitor.get("/no-such-page"), visitor.get("/log-out"), visitor.post("/log-in")]
    responses += [visitor.post("/log-in", {"username": "x" * 300_000}), visitor.get("/static/0/none.css")]
    assert {200, 400, 404, 405, 413} <= {response.status_code for response in responses}
    for response in responses:
        where = f"{response.request.path}: {response.status_code}"
        assert set(response.headers["Content-Security-Policy"].split("; ")) == POLICY, where
        assert response.headers["X-Content-Type-Options"] == "nosniff", where
        assert response.headers["Referrer-Policy"] == "same-origin", where
        assert response.headers["X-Frame-Options"] == "DENY", where
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin", where
        assert "camera=()" in response.headers["Permissions-Policy"], where
        assert "Access-Control-Allow-Origin" not in response.headers, where
        if response.mimetype.startswith("text/") or response.mimetype.endswith("xml"):
            assert response.mimetype_params["charset"] == "utf-8", where
        assert "Cache-Control" in response.headers, where
        assert not {"Strict-Transport-Security", "Cross-Origin-Opener-Policy"} & set(response.headers.keys()), where


@pytest.mark.parametrize("name", ["user", "admin"])
def test_nothing_but_routes_is_served(make_app: Maker, name: str) -> None:
    visitor = Visitor(make_app(name))
    assert {path: visitor.get(path).status_code for path in NOT_SERVED} == dict.fromkeys(NOT_SERVED, 404)
    assert visitor.client.open("/log-in", method="TRACE").status_code == 405


def test_public_responses_set_no_cookie(visitor: Visitor) -> None:
    page = visitor.get("/log-in")  # which gives the visitor a cookie
    assert "Cookie" in page.headers["Vary"]
    style = re.search(r'href="(/static/[^"]+/base\.css)"', page.text)
    assert style
    answer = visitor.get(style[1])
    assert answer.cache_control.public
    assert not {"Set-Cookie", "Vary"} & set(answer.headers.keys())


def test_tls_headers_and_host_cookie(make_app: Maker, new_name: str) -> None:
    visitor = Visitor(make_app("user", COOKIE_SECURE="1"))
    response = visitor.get("/log-in", base_url="https://localhost")
    assert response.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    (cookie,) = response.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-film-library-user=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_cookies_are_http_only_and_named_by_app(visitor: Visitor, admin_app: Flask) -> None:
    cookies = [Visitor(app).get("/log-in").headers["Set-Cookie"] for app in (visitor.app, admin_app)]
    assert [cookie.split("=")[0] for cookie in cookies] == ["film-library-user", "film-library-admin"]
    for cookie in cookies:
        assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))


@pytest.mark.parametrize("name", ["user", "admin"])
def test_every_post_without_a_token_is_refused(make_app: Maker, name: str) -> None:
    app = make_app(name)
    posts = list(addresses(app, "POST"))
    assert posts
    for address in posts:
        response = Visitor(app).post(address, {"username": "ann", "password": "x"})
        assert response.status_code == 400, address
        assert "expired" in response.text


def test_a_token_of_another_session_is_refused(user_app: Flask) -> None:
    page = Visitor(user_app).get("/log-in").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    victim = Visitor(user_app)
    victim.get("/log-in")
    assert victim.post("/log-in", {"csrf_token": token[1], "username": "ann", "password": "x"}).status_code == 400


@pytest.mark.parametrize("name", ["user", "admin"])
def test_pages_have_no_inline_code(make_app: Maker, name: str) -> None:
    app = make_app(name)
    visitor = Visitor(app)
    if name == "admin":
        with_session(visitor, "boss")
    pages = [visitor.get(address) for address in addresses(app, "GET")]
    html = [page.text for page in pages if page.mimetype == "text/html"] + [visitor.get("/nowhere").text]
    assert len(html) > 3
    for text in html:
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
        assert not re.search(r'(src|href)="(https?:)?//', text), "a resource from another host"


@pytest.mark.parametrize(("name", "site"), [("user", "Film Library"), ("admin", "Film Library Admin")])
def test_the_windows_title_is_plain_text(make_app: Maker, name: str, site: str) -> None:
    page = Visitor(make_app(name)).get("/log-in").text
    assert page.partition("<title>")[2].partition("</title>")[0] == f"Log in · {site}"


def test_personal_pages_are_never_cached(visitor: Visitor, boss: Visitor) -> None:
    assert visitor.get("/catalogue").headers["Cache-Control"] == "private, no-cache"
    assert visitor.get("/log-in").headers["Cache-Control"] == "no-store"
    for path in ("/", "/collections/users"):
        assert boss.get(path).headers["Cache-Control"] == "no-store"


def test_other_hosts_are_refused(make_app: Maker) -> None:
    visitor = Visitor(make_app("user", TRUSTED_HOSTS="films.example, .films.test"))
    assert visitor.get("/healthz", base_url="http://films.example").status_code == 200
    assert visitor.get("/healthz", base_url="http://a.films.test:8080").status_code == 200
    response = visitor.get("/", base_url="http://evil.example")
    assert response.status_code == 400
    assert "evil" not in response.text
    assert "Content-Security-Policy" in response.headers


@pytest.mark.parametrize(("count", "seen"), [("0", "10.9.9.9"), ("1", "203.0.113.7")])
def test_the_client_address_follows_the_number_of_proxies(make_app: Maker, count: str, seen: str) -> None:
    app = make_app("user", PROXY_COUNT=count)
    addresses_seen = []

    @app.get("/address")
    def address() -> str:
        from flask import request  # noqa: PLC0415

        addresses_seen.append((request.remote_addr, request.host))
        return ""

    headers = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7", "X-Forwarded-Host": "evil.example"}
    Visitor(app, "10.9.9.9").get("/address", headers=headers)
    assert addresses_seen == [(seen, "localhost")]


def test_a_new_key_logs_nobody_out_and_refuses_no_open_form(make_app: Maker) -> None:
    """While the key is exchanged, some processes sign with the new one already; both accept both."""
    new = "n" * 40
    before, between = Visitor(make_app("user")), Visitor(make_app("user", SECRET_KEY_FALLBACKS=new))
    after = Visitor(make_app("user", SECRET_KEY=new, SECRET_KEY_FALLBACKS=f"{SECRET}, {'o' * 40}"))
    other = Visitor(make_app("user", SECRET_KEY=new, SECRET_KEY_FALLBACKS=""))
    before.sign_up("key-holder")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', before.page("/account"))
    assert token
    for visitor in (between, after):
        visitor.use_cookie(before.cookie())
        assert "key-holder" in visitor.page("/account")
        assert visitor.post("/log-out", {"csrf_token": "wrong"}).status_code == 400
    assert after.post("/log-out", {"csrf_token": token[1]}).status_code == 302

    again = Visitor(after.app)
    again.log_in("key-holder")
    between.use_cookie(again.cookie())
    assert "key-holder" in between.page("/account"), "signed with the new key"
    other.use_cookie(before.cookie())
    assert "key-holder" not in other.get("/account").text, "without the old key its cookies count for nothing"
