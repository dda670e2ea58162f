"""The form of a record: which controls it has, and the way from a document to texts and back.

All that a form holds is text, so a form that comes back with mistakes shows exactly what was typed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from werkzeug.datastructures import MultiDict

from app.admin.columns import VIEWS
from app.admin.filter_builder import choices_of
from app.db.records import Field, describe
from app.db.search import names_of
from app.web.query import once

LONG_TEXT = 2_000  # characters; longer ones get more than a line to be written in
HINTS = {
    "list": "One on each line.",
    "time": "In UTC, like 2026-11-22 18:30. Left empty: now.",
    "movies._id": "Left empty, one is made up. It cannot be changed later.",
    "credits.person_id": "Left empty, it is made from the name.",
    "users.password.new": "15 characters or more are advisable.",
    "users.password": "Left empty, it stays as it is. A new one ends the user's open sessions.",
}
PASSWORD = Field("password", "password", True, (), 256, False, False, None)
# What is set by the database and shown only.
_NOT_WRITTEN = {"users": {"_id", "created_at"}}


@dataclass(frozen=True)
class Control:
    """A field of the form: `kind` is line, area, list, select, reference or password; `error` is a sentence or empty.

    `called` is the name of the record that a reference's text stands for, if it is there.
    """

    field: Field
    kind: str
    label: str
    text: str
    hint: str
    error: str
    choices: list[tuple[str, str]]
    called: str


def writable(collection: str, *, new: bool) -> dict[str, Field]:
    """The fields that a form for a new record has, or one for a record that exists."""
    described = describe(collection)
    fields = {
        name: field
        for name, field in described.items()
        if not field.derived
        and name not in _NOT_WRITTEN.get(collection, ())
        and (new or not field.fixed)
        and (name != "_id" or collection == "movies")  # other ids are the database's affair
    }
    return {**fields, "password": PASSWORD} if collection == "users" else fields


def text_of(value: Any) -> str:
    """A value as the form shows it. Nothing is lost on the way, so that a field left alone stays what it was."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds")
    return str(value)


def texts_of(fields: Mapping[str, Field], row: Mapping[str, Any]) -> dict[str, str]:
    """Field name -> text, for a document."""
    return {name: text_of(row.get(name)) for name in fields}


def texts_from(fields: Mapping[str, Field], form: MultiDict[str, str]) -> dict[str, str]:
    """Field name -> text, as it was typed. Raises BadQuery for a field that is given twice."""
    return {name: once(form, name).replace("\r\n", "\n") for name in fields if name in form}


def values_of(fields: Mapping[str, Field], texts: Mapping[str, str]) -> dict[str, Any]:
    """Field name -> value to be checked by the database; None for an empty one, which means that there is none."""
    return {name: _value(fields[name], text) for name, text in texts.items()}


def _value(field: Field, text: str) -> Any:
    if not text.strip():
        return None
    return text.splitlines() if field.kind == "list" else text


def fingerprint(text: str) -> str:
    """What a form remembers of a field's text as it was opened, to tell later who changed what."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def controls(
    collection: str, fields: Mapping[str, Field], texts: Mapping[str, str], errors: Mapping[str, str], *, new: bool
) -> list[Control]:
    """The form's controls, in the order in which the pages show the fields."""
    headings = {**VIEWS[collection].headings, "password": "Password" if new else "New password"}
    order = [name for name in headings if name in fields]
    return [
        Control(
            field=fields[name],
            kind=_kind(fields[name], texts.get(name, "")),
            label=headings[name],
            text=texts.get(name, ""),
            hint=_hint(collection, fields[name], new=new),
            error=_sentence(headings[name], errors[name]) if name in errors else "",
            choices=choices_of(fields[name]),
            called=_called(fields[name], texts.get(name, "")),
        )
        for name in order
    ]


def other_errors(fields: Mapping[str, Field], errors: Mapping[str, str]) -> str:
    """What is wrong with fields that the form doesn't have, as text."""
    return " ".join(_sentence(name, reason) for name, reason in errors.items() if name not in fields)


def _kind(field: Field, text: str) -> str:
    if field.refers_to:
        return "reference"
    if field.choices:
        return "select"
    if field.kind in ("list", "password"):
        return field.kind
    # A line would lose a line break that an import brought along.
    return "area" if (field.longest or 0) > LONG_TEXT or "\n" in text else "line"


def _called(field: Field, text: str) -> str:
    return names_of(field.refers_to, [text.strip()]).get(text.strip(), "") if field.refers_to else ""


def _hint(collection: str, field: Field, *, new: bool) -> str:
    keys = [f"{collection}.{field.name}.new"] if new else []
    keys += [f"{collection}.{field.name}", field.kind]
    return next((HINTS[key] for key in keys if key in HINTS), "")


def _sentence(label: str, reason: str) -> str:
    """Of "must be a number" it makes "Year must be a number."; a whole sentence stays one."""
    if reason.startswith("there is "):
        return f"{reason[0].upper()}{reason[1:].rstrip('.')}."
    return f"{label} {reason.rstrip('.')}." if reason[:1].islower() else reason
