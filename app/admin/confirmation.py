"""Entering the password again before what would do most harm in other hands: accounts, exports, bulk deletion.

A session left open on a desk, or stolen, isn't enough for these. A confirmation is valid for some minutes.
"""

from __future__ import annotations

from datetime import timedelta

from flask import redirect, request, url_for
from flask_login import current_user
from markupsafe import Markup
from werkzeug.wrappers import Response

from app.db.core import now

VALID = timedelta(minutes=15)


def is_confirmed() -> bool:
    """Whether the password was entered in this session lately."""
    at = current_user.session.get("confirmed_at")
    return at is not None and now() - at < VALID


def ask(target: str | None = None) -> Response | None:
    """The way to the page that asks for the password and leads to `target`, or back here; None if confirmed."""
    if is_confirmed():
        return None
    return redirect(url_for("accounts.confirm", next=target or request.full_path.rstrip("?")))


def problem() -> Markup | None:
    """For a form that was sent, and keeps what was typed: how to confirm, in another tab; None if confirmed."""
    if is_confirmed():
        return None
    return Markup(
        'Nothing was done yet: <a href="{}" target="_blank" rel="noopener">enter your password again in a new tab</a>, '
        "then come back and send this again."
    ).format(url_for("accounts.confirm"))
