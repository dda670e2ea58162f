"""The admin app: the library's records, for administrators only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from app.admin import access, accounts, audit_log, dashboards, jobs, metrics, navigation, records, transfer
from app.web import build_app


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """The admin app, configured from the environment; `overrides` are Flask settings that win over it.

    Raises:
        SettingError: the environment lacks a setting or has a wrong one.
    """
    app = build_app(
        __name__,
        "admin",
        [module.blueprint for module in (accounts, dashboards, records, transfer, jobs, audit_log, metrics)],
        home="dashboards.home",
        limited=["accounts.log_in"],
        overrides=overrides,
    )
    access.init_app(app)
    navigation.init_app(app)
    return app
