"""Sign-in: Flask-Login with the server-side sessions of `app.db.accounts.sessions`.

The cookie holds only a random token. Logging out deletes the session on the server, which makes copies of the cookie
useless.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app, flash, g, request, session
from flask_login import LoginManager, current_user, login_user, logout_user

from app.db.accounts import sessions
from app.db.core import USER, NotFound
from app.web import limits

_TOKEN = "_user_id"  # noqa: S105 - where Flask-Login keeps an account's get_id() in the cookie

# Mark in the User-Agent header -> name. Others have the later marks, too.
_BROWSERS = {"Edg": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
_SYSTEMS = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "Mac OS": "macOS"}
_SYSTEMS |= {"Linux": "Linux"}


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
        self.password_expired: bool = user.get("password_expired", False)
        self.second_factor: bool = user.get("second_factor", False)
        self.session: dict[str, Any] = user.get("session", {})
        self._token = token
        g.account = self.user_id  # for the request log, which comes after a log-out

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


def sign_in(user: dict[str, Any], *, factor: bool = False) -> None:
    """Start a new session for `user`, as returned by `authenticate` or just created.

    `factor` tells that the second factor has been given.

    Raises:
        DatabaseUnavailable: the session can't be stored.
    """
    kind, agent = current_app.config["APP_NAME"], request.user_agent.string
    token = sessions.open_session(user["_id"], kind, user.get("credential"), agent=agent, factor=factor)
    session.clear()  # drop everything from before the log-in
    login_user(Account(user, token))
    limits.remember_place(user["username"])


def renew_session(**facts: Any) -> None:
    """After a further log-in step, continue the session under a new token: copies of the cookie are useless then.

    The cookie keeps the rest, so that forms in other tabs stay good. `facts` are stored as by `sessions.note`.
    """
    with suppress(NotFound):  # another request was first, and the browser has its cookie
        session[_TOKEN] = sessions.renew(current_user.get_id(), current_app.config["APP_NAME"], **facts)


def sign_out() -> None:
    """End the session, on the server first: if that fails, the browser still shows the true state."""
    if current_user.is_authenticated:
        sessions.close_session(current_user.get_id(), current_app.config["APP_NAME"])
        logout_user()
    session.clear()


def open_sessions() -> list[dict[str, Any]]:
    """The signed-in account's sessions, as `sessions.list_open`, each with the name of its `browser`."""
    found = sessions.list_open(current_user.user_id, current_app.config["APP_NAME"], current_user.get_id())
    return [{**each, "browser": browser_name(each["agent"])} for each in found]


def end_sessions(wanted: str) -> None:
    """End one of the signed-in account's sessions by its id, or all "others", and say so."""
    kind = current_app.config["APP_NAME"]
    if wanted == "others":
        sessions.close_others(current_user.user_id, kind, current_user.get_id())
        flash("All other sessions have been ended.", "success")
    else:
        sessions.close_listed(current_user.user_id, kind, wanted)
        flash("The session has been ended.", "success")


def browser_name(agent: str) -> str:
    """What a User-Agent header tells people: "Firefox on Linux"."""
    browser, system = (
        next((name for mark, name in names.items() if mark in agent), "") for names in (_BROWSERS, _SYSTEMS)
    )
    return f"{browser or 'Browser'} on {system}" if system else browser or "Unknown browser"


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
