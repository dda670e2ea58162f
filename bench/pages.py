"""The user app's catalogue, beside the same page rendered by bare Flask from memory."""

from __future__ import annotations

import logging
import os
import secrets
from typing import Any

from flask import Flask, render_template, template_rendered
from flask_login import AnonymousUserMixin
from jinja2 import Template
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app import user
from app.user.cards import GENRES, CardHtml
from bench.library import Library
from bench.measure import Figure, milliseconds, percentile, time_alternately

CATALOGUE = "/catalogue"
TIMES = 150
LARGEST = 100_000  # bytes of a page

Context = dict[str, Any]


def measure(library: Library) -> list[Figure]:
    """Sequential requests in this process: a worker's time for a page, without a client's."""
    os.environ |= {
        "FILM_LIBRARY_MONGODB_URI": library.uri,
        "FILM_LIBRARY_SECRET_KEY": secrets.token_urlsafe(32),
        "FILM_LIBRARY_COOKIE_SECURE": "0",
    }
    app = user.create_app()
    app.logger.setLevel(logging.WARNING)  # a log line per request would bury the figures
    bare = _bare(app, *_rendered(app))
    size = len(_body(app))
    if _body(bare) != _body(app):
        raise RuntimeError("the peer renders a different page")
    ours, theirs = time_alternately([lambda: _body(app), lambda: _body(bare)], TIMES)
    one, other = percentile(ours, 0.5), percentile(theirs, 0.5)
    return [
        Figure(
            "catalogue, requests a second; bare Flask from memory",
            f"{1 / one:.0f}/s",
            f"{1 / other:.0f}/s",
            other / one,
            ">= 0.8 x",
            other / one >= 0.8,
        ),
        Figure("catalogue, p95", milliseconds(percentile(ours, 0.95)), milliseconds(percentile(theirs, 0.95))),
        Figure("catalogue, size", f"{size / 1000:.0f} kB", aim="< 100 kB", met=size < LARGEST),
    ]


def _body(app: Flask) -> bytes:
    """The catalogue as sent to a visitor who isn't logged in."""
    content, status, _ = run_wsgi_app(app, EnvironBuilder(CATALOGUE).get_environ(), buffered=True)
    body = b"".join(content)
    if not status.startswith("200"):
        raise RuntimeError(f"{CATALOGUE} answered {status}")
    return body


def _rendered(app: Flask) -> tuple[str, Context]:
    """The catalogue's template and its context in one request."""
    seen: list[tuple[str, Context]] = []

    def note(_: Flask, template: Template, context: Context, **__: Any) -> None:
        seen.append((str(template.name), dict(context)))

    with template_rendered.connected_to(note, app):
        _body(app)
    (found,) = seen
    return found


def _bare(app: Flask, template: str, context: Context) -> Flask:
    """Only routes and this page's data in memory: no database, accounts, log, metrics, headers or forms."""
    bare = Flask(user.__name__, static_folder=None)
    for blueprint in app.iter_blueprints():
        bare.register_blueprint(blueprint)
    bare.jinja_env.filters.update(app.jinja_env.filters)
    known = {name: value for name, value in app.jinja_env.globals.items() if name not in _OF_A_REQUEST}
    nobody = {"current_user": AnonymousUserMixin(), "liked": lambda: None, "csrf_token": lambda: ""}
    bare.jinja_env.globals.update(known | nobody)
    with bare.test_request_context():
        macros: Any = bare.jinja_env.get_template("user/card.html").module

    def card_html(film: dict[str, Any]) -> CardHtml:
        """Rendered every time; the app caches it."""
        shown = {**film, "genres": (film.get("genres") or ())[:GENRES]}
        return CardHtml(macros.picture(shown), macros.words(shown))

    bare.jinja_env.globals["card_html"] = card_html
    own = {name: value for name, value in context.items() if name not in _OF_A_REQUEST}
    bare.view_functions["catalogue.show"] = lambda: render_template(template, **own)
    return bare


_OF_A_REQUEST = frozenset({"g", "request", "session", "url_for", "get_flashed_messages", "config"})
