"""The dashboards: the library's contents and usage (the start page), and the system."""

from __future__ import annotations

from threading import Thread

from flask import Blueprint, Flask, current_app, render_template, request
from flask.blueprints import BlueprintSetupState

from app.admin import backup_status
from app.admin.columns import VIEWS
from app.admin.library_charts import library_charts
from app.admin.rights import Action, requires
from app.admin.system_charts import system_charts, uptime
from app.db.cluster import Counted, Monitor, Unit, figures
from app.db.core import BadQuery, DatabaseError, list_page
from app.web.query import single

UNITS: dict[str, Unit] = {"day": "day", "month": "month"}
FIRST_COUNT_WAIT = 0.5  # seconds; enough for small libraries, whose page needn't reload
MONITOR = "film_library_monitor"

blueprint = Blueprint("dashboards", __name__)
blueprint.add_app_template_filter(uptime)


@blueprint.record_once
def _set_up(state: BlueprintSetupState) -> None:
    state.app.extensions[MONITOR] = Monitor.from_env()


def monitor() -> Monitor | None:
    """The app's monitor, if one is configured."""
    found: Monitor | None = current_app.extensions[MONITOR]
    return found


@blueprint.get("/")
@requires(Action.VIEW)
def home() -> str:
    """A card per collection, and charts of the latest figures; `by` is the period of those over time."""
    by = single(request.args, "by", "day")
    if by not in UNITS:
        raise BadQuery(f"by must be one of {', '.join(UNITS)}")
    counts = {name: list_page(name, limit=1) for name in VIEWS}
    counted = _counted()
    charts = library_charts(counted.figures, UNITS[by]) if counted.figures else {}
    return render_template(
        "admin/dashboard.html", counts=counts, counted=counted, figures=counted.figures, by=by, **charts
    )


@blueprint.get("/system")
@requires(Action.VIEW)
def system() -> str:
    """The cluster's processes, the shards' contents and slow operations, queried for each request; and the backups."""
    backups = backup_status.current()
    if (asked := monitor()) is None:
        return render_template("admin/system.html", survey=None, backups=backups)
    survey = asked.survey()
    slow = asked.slow_operations(survey)
    return render_template("admin/system.html", survey=survey, backups=backups, slow=slow, **system_charts(survey))


def _counted() -> Counted:
    """The figures. Outdated ones are recounted in the background; the first count is awaited briefly."""
    counted = figures.current()
    if not counted.due:
        return counted
    # A daemon: the process can exit without waiting, and the count's lease expires.
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # of werkzeug's LocalProxy
    counting = Thread(target=_refresh, args=(app,), daemon=True)
    counting.start()
    if counted.figures is None:
        counting.join(FIRST_COUNT_WAIT)
    return figures.current()


def _refresh(app: Flask) -> None:
    try:
        figures.refresh()
    except DatabaseError as error:  # nobody waits for the result; the page tells when it failed
        app.logger.error("the library's figures can't be counted: %s", error)
