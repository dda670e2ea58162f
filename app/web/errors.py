"""Error pages: plain words and a way on, never a stack trace."""

from __future__ import annotations

import time
from contextlib import suppress

from flask import Flask, Response, current_app, g, make_response, render_template, request
from flask.globals import request_ctx
from flask_limiter import RateLimitExceeded
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from app.db.core import BadQuery, DatabaseError, DatabaseUnavailable, NotFound, TooSlow, time_limit

RETRY_AFTER = 5  # seconds; an election takes about that long
LOOK_UP_TIMEOUT_S = 1.0  # for loading the account: error pages don't wait as long as others

# status: (title, explanation)
TEXTS = {
    400: ("That request didn't make sense", "Something is wrong with the address or the form."),
    403: ("No access", "Your account isn't allowed to see this page."),
    404: ("Nothing on this reel", "This page doesn't exist. It may have moved, or there is a typo in the address."),
    405: ("That doesn't work here", "This address doesn't accept that kind of request."),
    413: ("Too large", "What you sent is larger than this page accepts."),
    429: ("A short intermission", "Too many attempts. Please wait a moment, then try again."),
    500: ("The film tore", "Something went wrong on our side and has been logged. Please try again later."),
    503: ("The projector is warming up", "The library's database isn't responding. Please try again in a few seconds."),
}
UNSAVED_TEXT = (
    "The library's database isn't responding, so your changes may or may not have been saved. "
    "Go back in a few seconds, check, and send them again if they weren't."
)
SLOW_TEXT = "That took too long and was stopped. Ask for less at once: use more words, or fewer results."
CSRF_TEXT = "This form has expired, or cookies are turned off. Go back, reload the page and send it again."


def init_app(app: Flask) -> None:
    """Answer all errors with a page."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(CSRFError, lambda _: error_page(400, CSRF_TEXT))
    app.register_error_handler(RateLimitExceeded, _too_many)
    app.register_error_handler(DatabaseUnavailable, _unavailable)
    app.register_error_handler(TooSlow, lambda _: error_page(503, SLOW_TEXT))
    app.register_error_handler(NotFound, lambda _: error_page(404))
    app.register_error_handler(BadQuery, lambda error: error_page(400, sentence(str(error))))


def error_page(
    status: int, text: str | None = None, *, retry_after: int | None = None, template: str = "web/error.html"
) -> Response:
    """The page for a status. It loads the account only if the database isn't what may have failed."""
    title, default = TEXTS.get(status, TEXTS[400 if status < 500 else 500])
    if _host_refused():  # no URL can be built for a foreign host, so a page can't be rendered
        response = make_response(f"{title}.\n", status, {"Content-Type": "text/plain; charset=utf-8"})
    else:
        page = render_template(
            template,
            error_page=True,  # flashed messages wait for the next normal page
            account_unknown=status >= 500 or not _account_is_known(),  # the layout then leaves out the account
            status=status,
            title=title,
            message=text or default,
            reference=g.get("request_id"),
            again=request.method == "GET" and status in {500, 503},
            start_over=request.method == "GET" and status == 400 and bool(request.endpoint and request.query_string),
            waits=request.method == "GET" and retry_after is not None and status == 503,
        )
        response = make_response(page, status)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _account_is_known() -> bool:
    """Whether the layout can show the account: not if loading it is slow or fails."""
    with suppress(DatabaseError), time_limit(LOOK_UP_TIMEOUT_S):
        return current_user.is_authenticated is not None  # an anonymous visitor is known, too
    return False


def _unavailable(error: DatabaseUnavailable) -> Response:
    """A GET can be repeated. A POST may have been saved or not."""
    current_app.logger.warning("the database is unavailable: %s", error)
    return error_page(503, None if request.method == "GET" else UNSAVED_TEXT, retry_after=RETRY_AFTER)


def sentence(reason: str) -> str:
    """`rows must be 25` -> `Rows must be 25.`; an empty reason stays empty: the page has a default text."""
    return f"{reason[0].upper()}{reason[1:].rstrip('.')}." if reason else ""


def _http_error(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:  # a redirect from Werkzeug's routing
        return make_response(error.get_response())
    response = error_page(error.code)
    for name, value in error.get_headers(request.environ):
        if name == "Allow":
            response.headers[name] = value
    return response


def limit_passed() -> tuple[str, int]:
    """The message for an exceeded rate limit, and the seconds to wait."""
    limits = (limiter.current_limit for limiter in current_app.extensions["limiter"])
    limit = next((limit for limit in limits if limit and limit.breached), None)
    wait = max(1, int(limit.reset_at - time.time())) if limit else 60
    minutes, hours = -(-wait // 60), -(-wait // 3600)
    when = "a minute" if minutes == 1 else f"{minutes} minutes" if minutes <= 60 else f"{hours} hours"
    return f"Too many attempts. Please try again in {when}.", wait


def _too_many(_: RateLimitExceeded) -> Response:
    text, wait = limit_passed()
    return error_page(429, text, retry_after=wait)


def _host_refused() -> bool:
    return request_ctx.url_adapter is None
