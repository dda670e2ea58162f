"""Background jobs: bulk edits and deletions, imports, and undoing them."""

from __future__ import annotations

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as Redirect

from app.admin import worker
from app.admin.job_words import change_in_words, records_in_words, state_of, title_of
from app.admin.rights import Action, actor, may, requires
from app.db.core import BadQuery, Row, audit
from app.db.jobs import Change, queue
from app.web.query import single

blueprint = Blueprint("jobs", __name__)

ROWS = 50


@blueprint.get("/jobs")
@requires(Action.VIEW)
def listing() -> str:
    """All jobs, newest first."""
    page = queue.list_page(after=_cursor("after"), before=_cursor("before"), limit=ROWS)
    return render_template("admin/jobs.html", page=page, title_of=title_of, state_of=state_of)


@blueprint.get("/jobs/<job_id>")
@requires(Action.VIEW)
def show(job_id: str) -> str:
    """A job: its progress, its result, and what can be done about it."""
    job = queue.get(job_id)
    return render_template(
        "admin/job.html",
        job=job,
        title=title_of(job),
        state=state_of(job),
        is_open=job["state"] in queue.OPEN,
        records=records_in_words(job),
        changes=[change_in_words(job["collection"], Change(**change)) for change in job.get("changes", ())],
        own=_is_own(job),
        undo_problem=queue.undo_problem(job),
        max_errors=queue.MAX_ERRORS,
    )


@blueprint.get("/jobs/<job_id>/state")
@requires(Action.VIEW)
def state(job_id: str) -> Response:
    """A job's state for jobs.js: {open, text, done, total}."""
    job = queue.get(job_id)
    answer = jsonify(open=job["state"] in queue.OPEN, text=state_of(job), done=job["done"], total=job["total"])
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/jobs/<job_id>/changes")
@requires(Action.VIEW)
def changes(job_id: str) -> str:
    """A job's changes to each record, for its owner and for those who may see the audit log."""
    job = _own_or_403(job_id)
    page = audit.changes_page(job=job["_id"], after=_cursor("after"), before=_cursor("before"), limit=ROWS)
    return render_template("admin/job_changes.html", job=job, title=title_of(job), page=page)


@blueprint.post("/jobs/<job_id>/cancel")
@requires(Action.BULK_EDIT)
def cancel(job_id: str) -> Redirect:
    """Ask the job to stop; what it has done stays."""
    job = _own_or_403(job_id)
    queue.cancel(job["_id"])
    worker.wake()
    return redirect(url_for("jobs.show", job_id=job["_id"]), 303)


@blueprint.post("/jobs/<job_id>/undo")
@requires(Action.BULK_EDIT)
def undo(job_id: str) -> Redirect:
    """Start a job that undoes this one."""
    job = _own_or_403(job_id)
    try:
        undo_id = queue.undo(job["_id"], actor())
    except BadQuery as error:
        flash(f"This can't be undone. {error}", "error")
        return redirect(url_for("jobs.show", job_id=job["_id"]), 303)
    worker.wake()
    return redirect(url_for("jobs.show", job_id=undo_id), 303)


def _is_own(job: Row) -> bool:
    return bool(job["user_id"] == current_user.user_id or may(Action.AUDIT))


def _own_or_403(job_id: str) -> Row:
    """A job of the user's, or any for those who may see the audit log; else 403."""
    job = queue.get(job_id)
    if not _is_own(job):
        abort(403)
    return job


def _cursor(name: str) -> str | None:
    return single(request.args, name) or None
