"""Access control: everything but the endpoints named here needs an administrator's session.

The check runs before every view, so a new route is closed until it names its action (see `app.admin.rights`).
"""

from __future__ import annotations

from flask import Flask, abort, current_app, make_response, redirect, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response

from app.admin.rights import action_of
from app.db.core import SUPERADMIN
from app.web.accounts import local_target
from app.web.errors import CSRF_TEXT, error_page

# metrics.scrape answers only this host (see app.web.request_metrics).
OPEN_ENDPOINTS = frozenset(
    {
        "accounts.log_in",
        *(f"assets.{name}" for name in ("static", "favicon", "robots")),
        *("health.alive", "health.ready", "metrics.scrape"),
    }
)
# What an administrator may open besides the page that has to be visited first.
ALONG_WITH = {
    "second_factor.enter": frozenset({"passkeys.use", "passkeys.use_options"}),
    "second_factor.set_up": frozenset({"passkeys.add", "passkeys.add_options"}),
}


def init_app(app: Flask) -> None:
    """Guard all routes."""
    app.before_request(_require_admin)
    app.register_error_handler(CSRFError, _stale_form)


def _require_admin() -> Response | None:
    """Let administrators pass to views that name an action, which check the rest; others answer 403.

    Anonymous visitors go to the log-in page, and administrators to what they must do first (dialogs get a 401).
    """
    if request.endpoint is None or request.endpoint in OPEN_ENDPOINTS:  # None: no such page
        return None
    if not current_user.is_authenticated:
        if _in_dialog():
            return _session_ended()
        answer: Response = current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
        return answer
    first = _to_do_first()
    along = {first, "accounts.confirm", "accounts.log_out"} | ALONG_WITH.get(first or "", frozenset())
    if first is not None and request.endpoint not in along:
        if _in_dialog():
            return _session_ended()
        onward = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for(first, next=onward or local_target(request.args.get("next"), "") or None))
    view = current_app.view_functions[request.endpoint]
    if action_of(view) is None:
        abort(403)
    return None


def _to_do_first() -> str | None:
    """The endpoint that the signed-in administrator has to visit before any other."""
    if current_user.second_factor and not current_user.session.get("factor"):
        return "second_factor.enter"
    if current_user.password_expired:
        return "accounts.change_password"
    if current_user.admin_status == SUPERADMIN and not current_user.second_factor:
        return "second_factor.set_up"
    return None


def _in_dialog() -> bool:
    """Whether dialogs.js sent the request; it can't see where a redirect leads."""
    return request.headers.get("X-Requested-With") == "dialog"


def _session_ended() -> Response:
    return make_response("Your session has ended.\n", 401, {"Content-Type": "text/plain; charset=utf-8"})


def _stale_form(_: CSRFError) -> Response:
    """A form's token ends with the session. Dialogs get a 401 and can fetch another token (see dialogs.js)."""
    return _session_ended() if _in_dialog() else error_page(400, CSRF_TEXT)
