"""Builds an app from its blueprints and everything both apps share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.db.core import DatabaseConfig, connect
from app.web import accounts, assets, errors, filters, health, limits, request_log, request_metrics, security
from app.web.settings import flask_settings


def build_app(
    import_name: str,
    name: str,
    blueprints: Sequence[Blueprint],
    *,
    home: str,
    limited: Sequence[str],
    limited_per_address: Sequence[str] = (),
    paced: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Flask:
    """An app ready to serve. It connects to the database at the first request.

    Args:
        import_name: the package with the app's templates.
        name: "user" or "admin"; part of the cookie's name, and the kind of its sessions.
        blueprints: the app's own pages.
        home: endpoint of the start page.
        limited: endpoints whose POSTs are limited per address and per account, against guessing.
        limited_per_address: endpoints whose POSTs are limited per address only: a refusal there is no wrong guess.
        paced: endpoint -> limit of its POSTs per address and per account, such as "60 per minute".
        overrides: Flask settings that win over the environment, for tests.

    Raises:
        SettingError: the environment lacks a setting or has a wrong one.
    """
    app = Flask(import_name, static_folder=None)
    app.url_map.strict_slashes = False  # tolerate a trailing slash
    app.config.from_mapping(flask_settings(name))
    app.config.from_mapping(overrides or {})
    app.config["APP_NAME"] = name
    app.jinja_env.globals["home_endpoint"] = home
    connect(DatabaseConfig.from_env(application=f"film-library-{name}"))

    if proxies := app.config["PROXY_COUNT"]:
        # nginx passes the Host header on; X-Forwarded-Host is whatever a client sends, so it isn't used.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0)  # type: ignore[method-assign]
    request_log.init_app(app)
    request_metrics.init_app(app)
    security.init_app(app)
    accounts.init_app(app)
    errors.init_app(app)
    filters.init_app(app)
    for blueprint in (assets.blueprint, health.blueprint, *blueprints):
        app.register_blueprint(blueprint)
    limits.init_app(app, limited, limited_per_address, paced or {})
    return app
