"""Sign-in: Flask-Login with the server-side sessions of `app.db.accounts.sessions`.

The cookie holds only a random token. Logging out deletes the session on the server, which makes copies of the cookie
useless.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app, session
from flask_login import LoginManager, current_user, login_user, logout_user

from app.db.accounts import sessions
from app.db.core import USER
from app.web import limits


class Account:
    """The signed-in account, as Flask-Login expects it; its id is the session's token."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, user: dict[str, Any], token: str) -> None:
        self.user_id: str = user["_id"]
        self.username: str = user["username"]
        self.admin_status: int = user.get("admin_status", USER)
        self.created_at = user.get("created_at")
        self._token = token

    def get_id(self) -> str:
        return self._token


def init_app(app: Flask) -> None:
    """Load each request's account from its session."""
    manager = LoginManager()
    manager.login_view = "accounts.log_in"
    manager.login_message = "Please log in first."
    manager.login_message_category = "info"
    # The token is the whole secret. Binding it to an address would log people out between Wi-Fi and mobile data.
    manager.session_protection = None
    manager.user_loader(_load)
    # A global loads the account only where a template uses it. Flask-Login's context processor would do so for every
    # template, even for the page that says that the database is unavailable.
    manager.init_app(app, add_context_processor=False)
    app.jinja_env.globals["current_user"] = current_user


def sign_in(user: dict[str, Any]) -> None:
    """Start a new session for `user`, as returned by `authenticate` or just created.

    Raises:
        DatabaseUnavailable: the session can't be stored.
    """
    token = sessions.open_session(user["_id"], current_app.config["APP_NAME"], user.get("credential"))
    session.clear()  # drop everything from before the log-in
    login_user(Account(user, token))
    limits.remember_place(user["username"])


def sign_out() -> None:
    """End the session, on the server first: if that fails, the browser still shows the true state."""
    if current_user.is_authenticated:
        sessions.close_session(current_user.get_id(), current_app.config["APP_NAME"])
        logout_user()
    session.clear()


def local_target(target: str | None, default: str) -> str:
    """`target` if it is a path of this app, never another site; else `default`."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return default
    if any(ord(character) < 0x20 for character in target):  # browsers drop tabs and newlines: "/\t/evil"
        return default
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc else default


def _load(token: str) -> Account | None:
    user = sessions.session_user(token, current_app.config["APP_NAME"])
    return Account(user, token) if user else None
