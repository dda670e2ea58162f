"""The admin app: the library's records, for administrators only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from app.admin import access, accounts, records
from app.web import build_app


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """The admin app, configured from the environment; `overrides` are Flask settings that win over it.

    Raises:
        SettingError: the environment lacks a setting or has a wrong one.
    """
    app = build_app(
        __name__,
        "admin",
        [accounts.blueprint, records.blueprint],
        home="records.dashboard",
        limited=["accounts.log_in"],
        overrides=overrides,
    )
    access.init_app(app)
    return app
