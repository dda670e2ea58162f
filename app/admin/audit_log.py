"""The audit log: who did what to which record."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for

from app.admin.columns import VIEWS
from app.admin.job_words import change_in_words
from app.admin.rights import Action, requires
from app.db.core import Row, audit, now
from app.db.jobs import Change, queue
from app.web.query import single

blueprint = Blueprint("audit_log", __name__)

ROWS = 50
FILTERS = ("username", "action", "collection", "document_id")
ACTIONS = ("create", "edit", "delete", "bulk edit", "bulk delete", "undo", "import", "role")


@blueprint.get("/audit-log")
@requires(Action.AUDIT)
def listing() -> str:
    """Entries, newest first, filtered by user, action and record; for one record also its changes by bulk jobs."""
    wanted = {name: value for name in FILTERS if (value := single(request.args, name).strip())}
    who, action, collection, document_id = (wanted.get(name) for name in FILTERS)
    page = audit.list_page(
        username=who and who.lower(),
        action=action,
        collection=collection,
        document_id=document_id,
        after=single(request.args, "after") or None,
        before=single(request.args, "before") or None,
        limit=ROWS,
    )

    def address(**changes: Any) -> str:
        return url_for("audit_log.listing", **{**wanted, **changes})

    by_jobs = (
        audit.changes_page(collection=collection, document_id=document_id).rows if collection and document_id else []
    )
    return render_template(
        "admin/audit_log.html",
        page=page,
        wanted=wanted,
        actions=ACTIONS,
        collections=VIEWS,
        address=address,
        change_in_words=lambda collection, change: change_in_words(collection, Change(**change)),
        undoable=_undoable,
        by_jobs=by_jobs,
        makers=queue.makers(row["job"] for row in by_jobs),
    )


def _undoable(entry: Row) -> bool:
    """Whether the entry's job can probably still be undone; the job's page knows for sure."""
    fresh = now() - entry["at"] < queue.UNDO_WITHIN
    return bool(fresh and entry["count"] and entry["action"] in {queue.KINDS[kind] for kind in queue.UNDOABLE})
