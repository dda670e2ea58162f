"""The user app: find a film, sign up, log in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from app.user import accounts, catalogue, favourites, film, films, people, posters, preferences, recommendations
from app.web import build_app


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
            for module in (films, film, catalogue, preferences, people, favourites, recommendations, accounts, posters)
        ],
        home="films.home",
        limited=["accounts.log_in", "accounts.sign_up", "accounts.change_password", "accounts.delete"],
        overrides=overrides,
    )
