"""A record's form: its controls, and the conversion between documents and texts.

Forms hold only text, so a form that comes back with errors shows exactly what was typed.
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

LONG_TEXT = 2_000  # characters; fields that can be longer get a text area
HINTS = {
    "list": "One per line.",
    "time": "UTC, like 2026-11-22 18:30. If empty, the current time.",
    "movies._id": "If empty, one is generated. It can't be changed later.",
    "credits.person_id": "If empty, it is derived from the name.",
    "password.new": "We recommend 15 characters or more.",
    "password": "Leave empty to keep it. A new password ends all sessions of the account.",
}
PASSWORD = Field("password", "password", True, (), 256, False, False, None)
ACCOUNTS = ("users", "administrators")


@dataclass(frozen=True)
class Control:
    """A form field. `kind` is line, area, list, select, reference or password; `error` is a sentence or empty.

    `called` is the name of the record that a reference points to, if it exists.
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
    """The fields of the form for a new or an existing record."""
    described = describe(collection)
    fields = {
        name: field
        for name, field in described.items()
        if not field.derived
        and not (name == "created_at" and collection in ACCOUNTS)
        and (new or not field.fixed)
        and (name != "_id" or collection == "movies")  # other ids are set by the database
    }
    return {**fields, "password": PASSWORD} if collection in ACCOUNTS else fields


def text_of(value: Any) -> str:
    """A value as the form shows it, without loss: a field left alone keeps its value."""
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
    """Field name -> text as typed. Raises BadQuery if a field is given twice."""
    return {name: once(form, name).replace("\r\n", "\n") for name in fields if name in form}


def values_of(fields: Mapping[str, Field], texts: Mapping[str, str]) -> dict[str, Any]:
    """Field name -> value, not yet validated; None for an empty field."""
    return {name: _value(fields[name], text) for name, text in texts.items()}


def _value(field: Field, text: str) -> Any:
    if not text.strip():
        return None
    return text.splitlines() if field.kind == "list" else text


def fingerprint(text: str) -> str:
    """A fingerprint of a field's text, to tell later who changed it."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def controls(
    collection: str, fields: Mapping[str, Field], texts: Mapping[str, str], errors: Mapping[str, str], *, new: bool
) -> list[Control]:
    """The form's controls, in the pages' order of fields."""
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
    """The errors of fields that aren't in the form, as text."""
    return " ".join(_sentence(name, reason) for name, reason in errors.items() if name not in fields)


def _kind(field: Field, text: str) -> str:
    if field.refers_to:
        return "reference"
    if field.choices:
        return "select"
    if field.kind in ("list", "password"):
        return field.kind
    # A single line would lose line breaks from imports.
    return "area" if (field.longest or 0) > LONG_TEXT or "\n" in text else "line"


def _called(field: Field, text: str) -> str:
    return names_of(field.refers_to, [text.strip()]).get(text.strip(), "") if field.refers_to else ""


def _hint(collection: str, field: Field, *, new: bool) -> str:
    keys = [f"{field.kind}.new"] if new else []
    keys += [f"{collection}.{field.name}", field.kind]
    return next((HINTS[key] for key in keys if key in HINTS), "")


def _sentence(label: str, reason: str) -> str:
    """Turn "must be a number" into "Year must be a number."; whole sentences stay as they are."""
    if reason.startswith("there is "):
        return f"{reason[0].upper()}{reason[1:].rstrip('.')}."
    return f"{label} {reason.rstrip('.')}." if reason[:1].islower() else reason
