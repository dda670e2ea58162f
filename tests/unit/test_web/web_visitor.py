"""A visitor of the web apps, with cookies and an address."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.db.accounts.sessions import KINDS, open_session
from app.db.core import list_page

PASSWORD = "three blind mice 1927"
SECRET = "unit-test-secret-key-of-forty-characters"
XSS = "<script>alert(\"1\")</script> & 'Sons'"

Maker = Callable[..., Flask]


class Visitor:
    """A browser with its own cookies and address, which can send forms."""

    _addresses = itertools.count(1)

    def __init__(self, app: Flask, address: str | None = None) -> None:
        number = next(self._addresses)
        self.app = app
        self.address = address or f"10.1.{number // 250}.{number % 250 + 1}"
        self.client: FlaskClient = app.test_client()

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, environ_base={"REMOTE_ADDR": self.address}, **options)

    def page(self, path: str, **query: str) -> str:
        """The page at `path`; fails unless the status is 200."""
        response = self.get(path, query_string=query)
        assert response.status_code == 200
        return response.text

    def post(self, path: str, data: Mapping[str, Any] | None = None, **options: Any) -> TestResponse:
        """A POST without a token."""
        return self.client.post(path, data=data, environ_base={"REMOTE_ADDR": self.address}, **options)

    def send(self, path: str, data: Mapping[str, Any] | None = None, form_on: str | None = None) -> TestResponse:
        """Open the page with the form, and send the form with its token."""
        page = self.get(form_on or path).text
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert token, f"no form on {form_on or path}"
        return self.post(path, {"csrf_token": token[1], **(data or {})})

    def log_in(self, name: str, password: str = PASSWORD) -> TestResponse:
        return self.send("/log-in", {"username": name, "password": password})

    def sign_up(self, name: str, password: str = PASSWORD) -> TestResponse:
        return self.send("/sign-up", {"username": name, "password": password, "repeated": password})

    def cookie(self) -> str:
        found = self.client.get_cookie(self.app.config["SESSION_COOKIE_NAME"])
        assert found is not None
        return str(found.value)

    def use_cookie(self, value: str) -> None:
        self.client.set_cookie(self.app.config["SESSION_COOKIE_NAME"], value)


def with_session(visitor: Visitor, name: str) -> Visitor:
    """The visitor, logged in to the account `name`, with a second factor if it has one."""
    kind = visitor.app.config["APP_NAME"]
    (account,) = [row for row in list_page(KINDS[kind].accounts, limit=500).rows if row["username"] == name]
    with visitor.client.session_transaction() as session:
        session["_user_id"] = open_session(account["_id"], kind, factor=True)
    return visitor


def titles(page: str) -> list[str]:
    """The titles on the cards of a page."""
    return [unescape(title) for title in re.findall(r'card-title">([^<]*)<', page)]
