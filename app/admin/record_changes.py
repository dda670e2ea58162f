"""Saves a record's form without overwriting changes that someone else made at the same time.

The form carries the document's version and a fingerprint of each field's text from when it was opened. The database
compares the version to detect a conflict; the fingerprints tell who changed which field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from app.admin.filter_builder import ROLES
from app.admin.record_form import ACCOUNTS, fingerprint, texts_from, texts_of, values_of
from app.admin.rights import actor
from app.db import operations
from app.db.accounts import administrators, users
from app.db.core import ValidationFailed
from app.db.records import Field
from app.web.query import single

THEIRS = "theirs"


@dataclass(frozen=True)
class Clash:
    """A field that someone else changed meanwhile: its value now, and the input (None: left alone)."""

    name: str
    theirs: str
    yours: str | None


@dataclass(frozen=True)
class Edit:
    """An edit: texts by field, the version and fingerprints from when it was opened, and its conflicts."""

    fields: dict[str, Field]
    texts: dict[str, str]
    version: str
    seen: dict[str, str]
    clashes: tuple[Clash, ...] = ()

    @classmethod
    def opened(cls, fields: dict[str, Field], row: Mapping[str, Any]) -> Edit:
        """An edit that starts from the current document."""
        texts = texts_of(fields, row)
        return cls(fields, texts, operations.version(row), _fingerprints(texts))

    @classmethod
    def sent(cls, fields: dict[str, Field], form: MultiDict[str, str], row: Mapping[str, Any]) -> Edit:
        """An edit as its form was sent, with the texts of `row` for conflicts resolved in the other's favour.

        Raises:
            BadQuery: something is given twice, or contains a control character.
        """
        texts, now = texts_from(fields, form), texts_of(fields, row)
        taken_over = {name: now[name] for name in texts if single(form, f"keep.{name}") == THEIRS}
        seen = {name: single(form, f"seen.{name}") for name in texts}
        return cls(fields, {**texts, **taken_over}, single(form, "version"), seen)

    def against(self, current: Mapping[str, Any]) -> Edit:
        """The edit based on the current document: untouched fields take its values, the others keep the input."""
        now = texts_of(self.fields, current)
        changed = [name for name in self.texts if fingerprint(now[name]) != self.seen[name] and name != "password"]
        clashes = [
            Clash(name, now[name], self.texts[name] if self._touched(name) else None)
            for name in changed
            if self.texts[name] != now[name]
        ]
        followed = {clash.name: clash.theirs for clash in clashes if clash.yours is None}
        return replace(
            self,
            texts={**self.texts, **followed},
            version=operations.version(current),
            seen=_fingerprints(now),
            clashes=tuple(clashes),
        )

    def changes(self) -> dict[str, Any]:
        """Field name -> value, for changed fields."""
        return values_of(self.fields, {name: text for name, text in self.texts.items() if self._touched(name)})

    def _touched(self, name: str) -> bool:
        return fingerprint(self.texts[name]) != self.seen[name]


def _fingerprints(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: fingerprint(text) for name, text in texts.items()}


def create(collection: str, values: Mapping[str, Any]) -> str:
    """Add a record and return its id. Raises ValidationFailed, Duplicate."""
    given = {name: value for name, value in values.items() if value is not None}
    if collection not in ACCOUNTS:
        return operations.insert_one(collection, given, actor=actor())
    account = {"username": "", "password": "", "admin_status": "", **_account(given)}
    name, password, role = account["username"], account["password"], account["admin_status"]
    if collection == "users":
        return str(users.create_user(name, password, actor=actor())["_id"])
    return str(administrators.create(name, password, role, actor=actor())["_id"])


def change(collection: str, document_id: str, edit: Edit) -> None:
    """Save an edit's changes. Raises ValidationFailed, Duplicate, NotFound; Conflict if someone else was faster."""
    if collection == "users":
        users.update_user(document_id, _account(edit.changes()), actor=actor(), version=edit.version)
    elif collection == "administrators":
        administrators.update(document_id, _account(edit.changes()), actor=actor(), version=edit.version)
    else:
        operations.update_document(collection, document_id, edit.changes(), actor=actor(), version=edit.version)


def remove(collection: str, document_id: str, *, cascade: bool, version: str) -> None:
    """Delete a record, and with `cascade` its dependents. Raises Referenced, ValidationFailed, Conflict."""
    if collection == "users":
        users.delete_user(document_id, actor=actor(), cascade=cascade, version=version)
    elif collection == "administrators":
        administrators.delete(document_id, actor=actor(), version=version)
    else:
        operations.delete_document(collection, document_id, cascade=cascade, actor=actor(), version=version)


def _account(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of an account's form as `app.db.accounts` takes them: a role is a number, None leaves a field unchanged.

    Raises ValidationFailed if the name is empty.
    """
    if "username" in values and not values["username"]:
        raise ValidationFailed({"username": "is missing"})
    status = values.get("admin_status") or ""
    return {**values, "admin_status": int(status)} if status in ROLES else dict(values)
