"""Who may do what: nothing without an administrator's session, but for the few endpoints named here.

The check comes before every view, so that a new route is closed until it names its action (see `app.admin.rights`).
"""

from __future__ import annotations

from flask import Flask, abort, current_app, request
from flask_login import current_user
from werkzeug.wrappers import Response

from app.admin.rights import action_of
from app.db.models import USER

# metrics.scrape answers this host alone (see app.admin.metrics), where no one logs in.
OPEN_ENDPOINTS = frozenset({"accounts.log_in", "assets.static", "health.alive", "health.ready", "metrics.scrape"})


def init_app(app: Flask) -> None:
    """Guard all routes of the app."""
    app.before_request(_require_admin)


def _require_admin() -> Response | None:
    """Let administrators pass to views that name their action, which check the rest; send anonymous visitors to the
    log-in page, and refuse (403) everyone else."""
    if request.endpoint is None or request.endpoint in OPEN_ENDPOINTS:  # None: there is no such page for anybody
        return None
    if not current_user.is_authenticated:
        answer: Response = current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
        return answer
    view = current_app.view_functions[request.endpoint]
    if current_user.admin_status == USER or action_of(view) is None:
        abort(403)
    return None
