"""A record's pages: view, create, edit and delete. dialogs.js opens them over a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.admin import confirmation, record_form
from app.admin.columns import VIEWS
from app.admin.record_changes import Edit, change, create, remove
from app.admin.rights import Action, check_write, requires
from app.db import operations
from app.db.core import BadQuery, Conflict, Duplicate, NotFound, Referenced, Row, ValidationFailed
from app.db.records import REFERS_TO, Field, describe
from app.db.search import names_of
from app.web.query import once

blueprint = Blueprint("record", __name__)

UNPROCESSABLE, CONFLICT = 422, 409


@blueprint.get("/collections/<name>/<document_id>")
@requires(Action.VIEW)
def show(name: str, document_id: str) -> str:
    """All fields of a record, its references and its dependents."""
    row = found(name, document_id)
    return render_template(
        "admin/record.html",
        **_about(name, row),
        dependents=operations.count_dependents(name, document_id),
        pointing=operations.REFERENCES.get(name, {}).items(),
        names={
            field: names_of(collection, [row.get(field, "")]) for field, collection in REFERS_TO.items() if field in row
        },
        described=describe(name),
    )


@blueprint.route("/collections/<name>/new", methods=["GET", "POST"])
@requires(Action.CREATE)
def new(name: str) -> str | Response | tuple[str, int]:
    """The form for a new record; the address can prefill its fields."""
    check_write(Action.CREATE, name)
    fields = _fields(name, new=True)
    if request.method == "GET" and (asked := _ask(name)):
        return asked
    if request.method == "GET":
        return _new_form(name, record_form.texts_from(fields, request.args))
    texts = record_form.texts_from(fields, request.form)
    if unconfirmed := _unconfirmed(name):
        return _new_form(name, texts, problem=unconfirmed)
    try:
        document_id = create(name, record_form.values_of(fields, texts))
    except ValidationFailed as error:
        return _new_form(name, texts, error.errors)
    except Duplicate:
        return _new_form(name, texts, problem="This record already exists. Nothing was added.")
    flash(f"The {VIEWS[name].one} has been added.", "success")
    return redirect(url_for("record.show", name=name, document_id=document_id))


@blueprint.get("/collections/<name>/<document_id>/edit")
@requires(Action.EDIT)
def edit(name: str, document_id: str) -> str | Response:
    """The form for a record's fields."""
    check_write(Action.EDIT, name)
    row = found(name, document_id)
    if asked := _ask(name):
        return asked
    return _edit_form(name, row, Edit.opened(_fields(name, new=False), row))


@blueprint.post("/collections/<name>/<document_id>/edit")
@requires(Action.EDIT)
def save(name: str, document_id: str) -> Response | tuple[str, int]:
    """Save the form's changes. If someone else changed the record meanwhile, show the conflict field by field."""
    check_write(Action.EDIT, name)
    fields = _fields(name, new=False)
    try:
        row = found(name, document_id)
        mine = Edit.sent(fields, request.form, row)
        if unconfirmed := _unconfirmed(name):
            return _edit_form(name, row, mine, problem=unconfirmed), UNPROCESSABLE
        if mine.version != operations.version(row):
            raise Conflict(row)
        change(name, document_id, mine)  # fails unless the row is still the one that was checked
    except ValidationFailed as error:
        return _edit_form(name, row, mine, errors=error.errors), UNPROCESSABLE
    except Duplicate:
        return _edit_form(name, row, mine, problem="Another record like this exists. Nothing was saved."), UNPROCESSABLE
    except Conflict as error:
        return _edit_form(name, error.current, mine.against(error.current), conflict=True), CONFLICT
    except NotFound:
        return _gone(name, document_id, Edit.sent(fields, request.form, {}))
    flash("Your changes have been saved.", "success")
    return redirect(url_for("record.show", name=name, document_id=document_id))


@blueprint.route("/collections/<name>/<document_id>/delete", methods=["GET", "POST"])
@requires(Action.DELETE)
def delete(name: str, document_id: str) -> str | Response | tuple[str, int]:
    """Delete a record after a confirmation that shows its dependents; delete those only if told to."""
    check_write(Action.DELETE, name)
    row = found(name, document_id)
    if request.method == "GET" and (asked := _ask(name)):
        return asked
    problem = _unconfirmed(name)
    if request.method == "POST" and problem is None:
        try:
            if once(request.form, "version") != operations.version(row):
                raise Conflict(row)
            remove(name, document_id, cascade="cascade" in request.form, version=operations.version(row))
        except Conflict as error:
            row = error.current
            problem = "Someone changed this record after you opened this page. Check it again before you delete it."
        except Referenced:
            problem = "Other records refer to this one. Tick the box to delete them, too."
        except ValidationFailed as error:
            problem = record_form.other_errors({}, error.errors)
        else:
            flash(f"The {VIEWS[name].one} has been deleted.", "success")
            return redirect(url_for("records.listing", name=name))
    dependents = operations.count_dependents(name, document_id)
    page = render_template(
        "admin/record_delete.html",
        **_about(name, row),
        version=operations.version(row),
        dependents=dependents,
        problem=problem,
    )
    return (page, UNPROCESSABLE) if problem else page


def found(name: str, document_id: str) -> Row:
    """A record of one of VIEWS; answers 404 for another collection or a malformed id. Raises NotFound."""
    if name not in VIEWS:
        abort(404)
    try:
        return operations.find_document(name, document_id)
    except BadQuery:  # a malformed id
        abort(404)


def _ask(name: str) -> Response | None:
    """Accounts need the password first (see `app.admin.confirmation`)."""
    return confirmation.ask() if name in record_form.ACCOUNTS else None


def _unconfirmed(name: str) -> str | None:
    return confirmation.problem() if name in record_form.ACCOUNTS else None


def _fields(name: str, *, new: bool) -> dict[str, Field]:
    """The form's fields."""
    if name not in VIEWS:
        abort(404)
    return record_form.writable(name, new=new)


def _about(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """What all templates of a record need."""
    view = VIEWS[name]
    called = record_form.text_of(row.get(view.columns[0].field)) or str(row["_id"])
    return {"name": name, "view": view, "row": row, "called": called, "references": REFERS_TO}


def _new_form(
    name: str, texts: Mapping[str, str], errors: Mapping[str, str] | None = None, problem: str | None = None
) -> str | tuple[str, int]:
    fields = _fields(name, new=True)
    page = render_template(
        "admin/record_new.html",
        name=name,
        view=VIEWS[name],
        controls=record_form.controls(name, fields, texts, errors or {}, new=True),
        problem=_problem(fields, errors or {}, problem),
    )
    return (page, UNPROCESSABLE) if errors or problem else page


def _edit_form(
    name: str,
    row: Row,
    edit: Edit,
    *,
    errors: Mapping[str, str] | None = None,
    problem: str | None = None,
    conflict: bool = False,
) -> str:
    fields = _fields(name, new=False)
    return render_template(
        "admin/record_edit.html",
        **_about(name, row),
        edit=edit,
        conflict=conflict,
        headings=VIEWS[name].headings,
        controls=record_form.controls(name, fields, edit.texts, errors or {}, new=False),
        problem=_problem(fields, errors or {}, problem),
    )


def _gone(name: str, document_id: str, edit: Edit) -> tuple[str, int]:
    """The record was deleted while it was edited: the form keeps the input, so that it can be copied."""
    return _edit_form(
        name,
        {"_id": document_id, **edit.texts},
        edit,
        problem="Someone deleted this record, so your changes can't be saved. They are still below.",
    ), 404


def _problem(fields: Mapping[str, Field], errors: Mapping[str, str], problem: str | None) -> str | None:
    others = record_form.other_errors(fields, errors)
    if errors and not others:
        problem = "Nothing was saved. Check the fields marked below."
    return others or problem
