"""Response headers, CSRF protection and cache rules for all routes, errors included."""

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
        "object-src 'none'",  # the default already, but ASVS 5.0 3.4.3 asks for it by name
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
# Browsers follow these over TLS only, and warn about the second over plain HTTP.
TLS_HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",  # one year, ASVS 5.0 3.4.1
    "Cross-Origin-Opener-Policy": "same-origin",
}


def init_app(app: Flask) -> None:
    """Check the CSRF token of unsafe requests, and send the headers with all responses."""
    CSRFProtect(app)
    app.session_interface = _NotInPublicResponses()
    app.after_request(_add_headers)


class _NotInPublicResponses(SecureCookieSessionInterface):
    """Keeps the session cookie out of public responses, which caches may share between users.

    It also avoids `Vary: Cookie`, which Flask would send because Flask-Login reads the session at every request.
    """

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not response.cache_control.public:
            super().save_session(app, session, response)


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    if current_app.config["SESSION_COOKIE_SECURE"]:
        response.headers.update(TLS_HEADERS)
    if "Cache-Control" not in response.headers:
        # Personal pages, and pages with a form's token, aren't cached; others are revalidated.
        response.headers["Cache-Control"] = "no-store" if session else "private, no-cache"
    return response
