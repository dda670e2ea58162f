"""The admin app: the library's records, for administrators only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from app.admin import (
    access,
    accounts,
    audit_log,
    backup_status,
    bulk,
    dashboards,
    jobs,
    metrics,
    navigation,
    passkeys,
    picker,
    posters,
    record,
    records,
    second_factor,
    transfer,
    worker,
)
from app.web import build_app

PAGES = (
    accounts,
    second_factor,
    passkeys,
    dashboards,
    records,
    record,
    posters,
    picker,
    bulk,
    transfer,
    jobs,
    audit_log,
)

# The longest form is a film's: a description of 10,000 characters, each up to 12 bytes when URL-encoded.
FORM_MAX_BYTES = 256 * 1024


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """The admin app, configured from the environment; `overrides` are Flask settings that win over it.

    Raises:
        SettingError: the environment lacks a setting or has a wrong one.
    """
    app = build_app(
        __name__,
        "admin",
        [module.blueprint for module in PAGES],
        home="dashboards.home",
        limited=[
            "accounts.log_in",
            "accounts.change_password",
            "accounts.confirm",
            "second_factor.enter",
            "passkeys.use",
        ],
        overrides={"MAX_CONTENT_LENGTH": FORM_MAX_BYTES, "MAX_FORM_MEMORY_SIZE": FORM_MAX_BYTES, **(overrides or {})},
    )
    access.init_app(app)
    navigation.init_app(app)
    metrics.init_app(app)
    backup_status.init_app(app)
    worker.init_app(app)
    return app
