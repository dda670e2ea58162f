"""The user app: find a film, sign up, log in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from app.user import accounts, catalogue, film, films, likes, people, posters, preferences, recommendations
from app.web import build_app

# POSTs per address or account, more than anyone does by hand. A like writes; a hint takes up to 0.2 s of CPU time.
PACES = {"likes.like": "120 per minute", "accounts.password_hint": "60 per minute"}


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """The user app, configured from the environment; `overrides` are Flask settings that win over it.

    Raises:
        SettingError: the environment lacks a setting or has a wrong one.
    """
    return build_app(
        __name__,
        "user",
        [
            module.blueprint
            for module in (films, film, catalogue, preferences, people, likes, recommendations, accounts, posters)
        ],
        home="films.home",
        limited=["accounts.log_in", "accounts.change_password", "accounts.delete"],
        limited_per_address=["accounts.sign_up"],
        paced=PACES,
        overrides=overrides,
    )
