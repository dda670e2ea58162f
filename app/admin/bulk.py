"""Bulk changes: selected on a list, previewed here, then done by a job."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.admin import confirmation, worker
from app.admin.columns import VIEWS
from app.admin.filter_builder import in_words
from app.admin.job_words import change_in_words
from app.admin.rights import Action, actor, check, requires
from app.admin.views import ListState, conditions_from, filter_parameters
from app.db.core import BadQuery, TooSlow, ValidationFailed
from app.db.jobs import Change, Selection, bulk_edit
from app.db.records import describe
from app.web.query import single

blueprint = Blueprint("bulk", __name__)

UNPROCESSABLE = 422
OPERATIONS = {"set": "set to", "unset": "clear", "add": "add to list", "remove": "remove from list"}

Page = str | Response | tuple[str, int]


@blueprint.post("/collections/<name>/bulk")
@requires(Action.BULK_EDIT)
def start(name: str) -> Page:
    """Edit or delete (`action`) the selected records (`ids`), or `all` that match the list's filter.

    Nothing is written until `step` is "run".
    """
    if name not in VIEWS or name == "administrators":
        abort(404)
    conditions = tuple(conditions_from(request.form))
    if single(request.form, "all") == "1":
        selection = Selection(conditions=conditions)
    else:
        selection = Selection(ids=tuple(request.form.getlist("ids")))
        if not selection.ids:
            flash("Select some records or the whole list first.", "error")
            return redirect(ListState.from_args(name, request.form).address(), 303)
    action = single(request.form, "action")
    if action not in _ACTIONS:
        raise BadQuery("action must be edit or delete")
    try:
        return _ACTIONS[action](name, selection)
    except TooSlow:  # the list's page explains it
        return redirect(ListState.from_args(name, request.form).address(), 303)


def _edit(name: str, selection: Selection) -> Page:
    """The form for a change; then its preview on the first records; at last the job."""
    if not bulk_edit.editable_fields(name):
        flash(f"{VIEWS[name].title} can only be edited one by one.", "error")
        return redirect(url_for("records.listing", name=name), 303)
    step = single(request.form, "step")
    draft = Change(*(single(request.form, part) for part in ("field", "operation", "value")))
    if not step:
        return _edit_page(name, selection, draft)
    try:
        if step == "run":
            return _job(bulk_edit.start("edit", name, selection, actor(), [draft]))
        preview = bulk_edit.preview(name, selection, [draft])
        words = change_in_words(name, bulk_edit.checked(name, [draft])[0])
    except ValidationFailed as error:
        problem = error.errors.get(draft.field, str(error))
    except BadQuery as error:
        problem = str(error)
    else:
        return _edit_page(name, selection, draft, preview=preview, words=words)
    return _edit_page(name, selection, draft, problem=problem), UNPROCESSABLE


def _edit_page(
    name: str,
    selection: Selection,
    draft: Change,
    *,
    preview: bulk_edit.Preview | None = None,
    words: str = "",
    problem: str | None = None,
) -> str:
    described = describe(name)
    fields = [
        {
            "field": field,
            "heading": VIEWS[name].headings.get(field, field),
            "operations": bulk_edit.operations(name, field),
            "choices": described[field].choices,
        }
        for field in bulk_edit.editable_fields(name)
    ]
    return render_template(
        "admin/bulk_edit.html",
        **_about(name, selection),
        preview=preview or bulk_edit.preview(name, selection),
        previewed=preview is not None,
        fields=fields,
        operations=OPERATIONS,
        draft=draft,
        words=words,
        problem=problem,
    )


def _delete(name: str, selection: Selection) -> Page:
    """Show what would be deleted, and have the user confirm by typing the number of records."""
    check(Action.BULK_DELETE)
    preview = bulk_edit.preview(name, selection)
    problem: str | None = confirmation.problem()
    if single(request.form, "step") == "run" and problem is None:
        typed = single(request.form, "confirm").translate({ord(mark): None for mark in ", .\u00a0"})
        if preview.count is not None and typed == str(preview.count):
            return _job(bulk_edit.start("delete", name, selection, actor(), confirmed=preview.count))
        problem = "That isn't the number of records."
    page = render_template(
        "admin/bulk_delete.html",
        **_about(name, selection),
        preview=preview,
        dependents=bulk_edit.count_dependents(name, selection),
        problem=problem,
    )
    return (page, UNPROCESSABLE) if problem else page


_ACTIONS = {"edit": _edit, "delete": _delete}


def _job(job_id: str) -> Response:
    worker.wake()
    return redirect(url_for("jobs.show", job_id=job_id), 303)


def _about(name: str, selection: Selection) -> dict[str, Any]:
    """What both pages show of the selection, and the parameters that carry it from form to form."""
    parameters = [("ids", document_id) for document_id in selection.ids] or [("all", "1")]
    filter_values = filter_parameters(selection.conditions)
    return {
        "name": name,
        "view": VIEWS[name],
        "selection": selection,
        "conditions": [in_words(name, condition) for condition in selection.conditions],
        "parameters": [*parameters, *(("filter", value) for value in filter_values)],
        "back": url_for("records.listing", name=name, filter=filter_values),
    }
