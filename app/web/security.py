"""Response headers, CSRF protection and cache rules, the same for every route, errors included."""

from __future__ import annotations

from flask import Flask, Response, current_app, session
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask_wtf import CSRFProtect

# Everything a page needs comes from the app itself; nothing inline, nothing framed, no plug-ins.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": over TLS the CSRF check compares the referrer with the host.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Browsers heed these over TLS only; over plain HTTP they complain of the second.
TLS_HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",  # one year, ASVS 5.0 3.4.1
    "Cross-Origin-Opener-Policy": "same-origin",
}


def init_app(app: Flask) -> None:
    """Check every unsafe request for its CSRF token, and send the headers with every response."""
    CSRFProtect(app)
    app.session_interface = _NotWithPublicAnswers()
    app.after_request(_add_headers)


class _NotWithPublicAnswers(SecureCookieSessionInterface):
    """Keeps the cookie out of what is the same for everybody: a cache may keep that, and then whoever logs in or out.

    Flask would send `Vary: Cookie` with it, as Flask-Login looks into the session at every request.
    """

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not response.cache_control.public:
            super().save_session(app, session, response)


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    if current_app.config["SESSION_COOKIE_SECURE"]:
        response.headers.update(TLS_HEADERS)
    if "Cache-Control" not in response.headers:
        # A page made for somebody (or holding a form's token) is kept by no cache; others are asked for again.
        response.headers["Cache-Control"] = "no-store" if session else "private, no-cache"
    return response
