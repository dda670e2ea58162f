"""The paged list of each collection, with its filters, columns and saved views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request
from werkzeug.wrappers import Response

from app.admin.columns import VIEWS, Column
from app.admin.filter_builder import WORDS, Draft, chips, fields_to_choose
from app.admin.rights import Action, actor, requires
from app.admin.views import ROWS_CHOICES, ListState, remember_columns
from app.db.core import (
    BadQuery,
    Page,
    Row,
    TooSlow,
    ValidationFailed,
    filters,
    index_fields,
    list_page,
    sortable_fields,
)
from app.db.records import REFERS_TO, saved_views
from app.db.search import names_of
from app.web.query import single

blueprint = Blueprint("records", __name__)

# For a list that can't be shown: the request is at fault, not the server.
UNPROCESSABLE = 422


@blueprint.get("/collections/<name>")
@requires(Action.VIEW)
def listing(name: str) -> str | Response | tuple[str, int]:
    """A page of a collection. Its whole state is in the address, so that it can be shared."""
    if name not in VIEWS:
        abort(404)
    state = remember_columns(ListState.from_args(name, request.args), request.args)
    draft = Draft.from_args(request.args)
    if draft.added:
        return _with_condition(state, draft)
    return _list(state, draft)


@blueprint.post("/collections/<name>/views")
@requires(Action.VIEW)
def save_view(name: str) -> Response:
    """Save the list's state as a view."""
    state = _state_of_form(name)
    called = single(request.form, "view")
    try:
        saved_views.save(actor(), name, called, state.query(), shared="shared" in request.form)
    except ValidationFailed as error:
        flash(error.errors["name"], "error")
    except BadQuery as error:
        flash(f"The view couldn't be saved: {error}.", "error")
    else:
        flash(f"The view “{' '.join(called.split())}” has been saved.", "success")
    return redirect(state.address())


@blueprint.post("/collections/<name>/views/remove")
@requires(Action.VIEW)
def remove_view(name: str) -> Response:
    """Remove one of the user's own views."""
    state = _state_of_form(name)
    called = single(request.form, "view")
    if saved_views.remove(actor(), name, called):
        flash(f"The view “{called}” has been removed.", "success")
    return redirect(state.address())


def _state_of_form(name: str) -> ListState:
    if name not in VIEWS:
        abort(404)
    return ListState.from_args(name, request.form)


def _with_condition(state: ListState, draft: Draft) -> str | Response | tuple[str, int]:
    """Add the filter form's condition to the list, or show what is wrong with it."""
    extended = state.but(conditions=(*state.conditions, draft.condition))
    try:
        filters.query(state.collection, extended.conditions)
    except BadQuery as error:
        return _list(state, draft, problem=_plain(state, error))
    return redirect(extended.address())


def _list(state: ListState, draft: Draft, problem: str | None = None) -> str | tuple[str, int]:
    """The list's page. If the list can't be shown, the page says why, and keeps the filter for correction."""
    page, slow, failure = None, False, None
    try:
        page = _page(state)
    except TooSlow:
        slow = True
    except BadQuery as error:
        if not state.conditions:  # not a fault of the filter, so the page couldn't help
            raise
        failure = _plain(state, error)
    html = render_template(
        "admin/listing.html",
        name=state.collection,
        view=VIEWS[state.collection],
        state=state,
        page=page,
        slow=slow,
        failure=failure,
        problem=problem,
        draft=draft,
        chips=chips(state),
        fields=fields_to_choose(state.collection),
        words=WORDS,
        references=REFERS_TO,
        indexed=_indexed(state.collection),
        rows_choices=ROWS_CHOICES,
        headings=[_heading(column, state) for column in state.shown],
        names=_names(state.shown, page.rows) if page else {},
        saved=saved_views.list_views(actor(), state.collection),
    )
    return (html, UNPROCESSABLE) if slow or failure or problem else html


def _plain(state: ListState, error: BadQuery) -> str:
    """An error about a condition, with the field's heading: "Year must be a whole number"."""
    field, _, reason = str(error).partition(" ")
    return f"{VIEWS[state.collection].headings.get(field, field)} {reason}"


def _page(state: ListState) -> Page:
    return list_page(
        state.collection,
        conditions=state.conditions,
        sort=state.sort,
        descending=state.descending,
        after=single(request.args, "after") or None,
        before=single(request.args, "before") or None,
        last=single(request.args, "last") == "1",
        limit=state.rows,
        fields=[column.field for column in state.shown],
    )


def _heading(column: Column, state: ListState) -> dict[str, Any]:
    """A column's heading: its sort link (None if no index can sort by it), and its current order."""
    if column.field not in sortable_fields(state.collection):
        return {"column": column, "href": None, "order": None}
    current = state.direction if column.field == state.sort else None
    towards = "desc" if current == "asc" else "asc"
    return {"column": column, "href": state.but(sort=column.field, direction=towards).address(), "order": current}


def _indexed(collection: str) -> list[str]:
    """The headings of indexed fields, which conditions can use quickly."""
    leading = {fields[0] for fields in index_fields(collection)}
    return [column.heading for column in VIEWS[collection].columns if column.field in leading]


def _names(columns: Sequence[Column], rows: Sequence[Row]) -> dict[str, dict[str, str]]:
    """Field -> id -> name, for references on the page."""
    return {
        column.field: names_of(REFERS_TO[column.field], (row.get(column.field, "") for row in rows))
        for column in columns
        if column.kind == "reference"
    }
