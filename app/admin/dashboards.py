"""The start page, with charts of what the library holds and how it is used, and the page of its system."""

from __future__ import annotations

from threading import Thread

from flask import Blueprint, Flask, current_app, render_template, request
from flask.blueprints import BlueprintSetupState

from app.admin.columns import VIEWS
from app.admin.library_charts import library_charts
from app.admin.rights import Action, requires
from app.admin.system_charts import system_charts, uptime
from app.db.cluster import Counted, Monitor, Unit, figures
from app.db.core import BadQuery, DatabaseError, list_page
from app.web.query import single

UNITS: dict[str, Unit] = {"day": "day", "month": "month"}
FIRST_COUNT_WAIT = 0.5  # seconds; a small library is counted by then, and its page needs no second look
MONITOR = "film_library_monitor"

blueprint = Blueprint("dashboards", __name__)
blueprint.add_app_template_filter(uptime)


@blueprint.record_once
def _set_up(state: BlueprintSetupState) -> None:
    state.app.extensions[MONITOR] = Monitor.from_env()


def monitor() -> Monitor | None:
    """The app's monitor, if it has been told of one."""
    found: Monitor | None = current_app.extensions[MONITOR]
    return found


@blueprint.get("/")
@requires(Action.VIEW)
def home() -> str:
    """A card per collection, and the charts as they were counted last; `by` is the period of those over time."""
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
    """Every process of the cluster, what each shard holds, and what was slow; asked now, not kept."""
    if (asked := monitor()) is None:
        return render_template("admin/system.html", survey=None)
    survey = asked.survey()
    slow = asked.slow_operations(survey)
    return render_template("admin/system.html", survey=survey, slow=slow, **system_charts(survey))


def _counted() -> Counted:
    """The figures; old ones are counted anew in the background. The first count is waited for a little."""
    counted = figures.current()
    if not counted.due:
        return counted
    # A daemon: a process that ends doesn't wait for the count, whose lease runs out by itself.
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # of werkzeug's LocalProxy
    counting = Thread(target=_refresh, args=(app,), daemon=True)
    counting.start()
    if counted.figures is None:
        counting.join(FIRST_COUNT_WAIT)
    return figures.current()


def _refresh(app: Flask) -> None:
    try:
        figures.refresh()
    except DatabaseError as error:  # nobody waits for this; the page says when it failed
        app.logger.error("the library's figures can't be counted: %s", error)
