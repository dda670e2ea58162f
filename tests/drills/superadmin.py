"""Somebody who is logged in to the admin app as a superadmin, and sends it what no browser would."""

from __future__ import annotations

import hashlib
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPMessage, HTTPSConnection
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from itsdangerous import URLSafeTimedSerializer
from pymongo.database import Database
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from app.db.accounts.passwords import credential_of
from ops.topology import ADMIN_APP_PORT
from tests.deployed import Inventory
from tests.roles.cluster.web import wait_until_served

TIMEOUT = 120  # seconds; gunicorn ends a request earlier
COOKIE = "__Host-film-library-admin"
FORM = "application/x-www-form-urlencoded"


def tampered(token: str) -> str:
    """A signed value with another signature, which differs in its first character.

    The last one won't do: two of its bits say nothing, so that "A" and "B" there are the same signature.
    """
    content, signature = token.rsplit(".", 1)
    return f"{content}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def signed(key: str, content: dict[str, Any]) -> str:
    """A session cookie of an app whose secret key this is, as Flask makes it."""
    how = {"key_derivation": "hmac", "digest_method": hashlib.sha1}
    return URLSafeTimedSerializer(key, salt="cookie-session", signer_kwargs=how).dumps(content)  # type: ignore[no-any-return]  # itsdangerous types it as Any


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    text: str


class Visitor:
    """A program with a cookie of the admin app."""

    def __init__(self, inventory: Inventory, cookie: str = "") -> None:
        self._inventory = inventory
        self._address = inventory.address(inventory.group("web")[0])
        self.site = f"https://{self._address}:{ADMIN_APP_PORT}"
        self.cookie = cookie

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Sends exactly this, and keeps a new cookie. Names of headers have `_` for `-`.

        Again while nginx refuses it, which limits how fast this goes.
        """
        while (answer := self._sent(method, path, body, headers)).status == 429 and "nginx" in answer.text:
            wait_until_served(self._inventory, self._inventory.group("web")[0])
        if found := re.search(rf"{COOKIE}=([^;]*)", answer.headers.get("Set-Cookie", "")):
            self.cookie = found[1]
        return answer

    def _sent(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        connection = HTTPSConnection(self._address, ADMIN_APP_PORT, timeout=TIMEOUT, context=self._inventory.trust)
        given = {"Cookie": f"{COOKIE}={self.cookie}", "Referer": f"{self.site}/"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body or None, given)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        return Answer(answer.status, answer.headers, text)

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def token(self, path: str = "/import") -> str:
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(path).text)
        assert found, f"no form on {path}"
        return found[1]

    def post(self, path: str, fields: list[tuple[str, str]], **headers: str) -> Answer:
        return self.send("POST", path, urlencode(fields).encode(), Content_Type=FORM, **headers)

    def upload(self, path: str, field: str, content: bytes, name: str, **fields: str) -> Answer:
        """Sends a file with the token of the page's form."""
        given = {"csrf_token": self.token(path), **fields, field: FileStorage(BytesIO(content), name)}
        boundary, body = encode_multipart(given)
        return self.send("POST", path, body, Content_Type=f"multipart/form-data; boundary={boundary}")

    def begin(self, lines: list[str]) -> socket.socket:
        """A connection on which a request has begun, whose body doesn't come."""
        plain = socket.create_connection((self._address, ADMIN_APP_PORT), timeout=TIMEOUT)
        connection = self._inventory.trust.wrap_socket(plain, server_hostname=self._address)
        connection.sendall("\r\n".join([*lines, f"Host: {self._address}:{ADMIN_APP_PORT}", "", ""]).encode())
        return connection


@contextmanager
def superadmin(inventory: Inventory, library: Database[dict[str, Any]]) -> Iterator[Visitor]:
    """Logged in with both factors, with an account that exists for the context alone."""
    token, moment = secrets.token_urlsafe(32), datetime.now(UTC)
    account = {"_id": f"drill-{secrets.token_hex(4)}", "password_hash": "nothing matches this"}
    details = {"username": account["_id"], "admin_status": 2, "totp_secret": "A" * 32, "created_at": moment}
    library["administrators"].insert_one(account | details)
    library["admin_sessions"].insert_one(
        {
            "_id": hashlib.sha256(token.encode()).hexdigest(),
            "user_id": account["_id"],
            "credential": credential_of(account["password_hash"]),
            "created_at": moment,
            "seen_at": moment,
            "confirmed_at": moment,
            "expires_at": moment + timedelta(minutes=30),
            "agent": "drill",
            "factor": True,
        }
    )
    try:
        yield Visitor(inventory, signed(inventory.passwords["flask_admin_secret_key"], {"_user_id": token}))
    finally:
        library["admin_sessions"].delete_many({"user_id": account["_id"]})
        library["administrators"].delete_one({"_id": account["_id"]})
