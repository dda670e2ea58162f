"""Descriptions of a collection's fields for forms, as plain data from the models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from mongoengine import DateTimeField, FloatField, IntField, ListField, ObjectIdField, StringField

from app.db.core import Movie, declaration, fields_of, get_model
from app.db.records.documents import REFERENCES

_KINDS = {
    StringField: "text",
    ObjectIdField: "text",
    IntField: "integer",
    FloatField: "number",
    ListField: "list",
    DateTimeField: "time",
}
# Field -> the collection whose _id it holds.
REFERS_TO = {field: parent for parent, pointers in REFERENCES.items() for field in pointers.values()}

_MADE_UP = ("_id", "person_id")  # the latter from the name (app.db.core.validation)


@dataclass(frozen=True)
class Field:
    """A field as its model declares it.

    `kind` is text, integer, number, list (of texts) or time; `longest` counts characters. `needed` is False if a
    missing value is generated. `derived` and `fixed` fields of existing documents can't be edited (fixed: `_id`, and
    the shard key of all but films). `refers_to` names the collection whose `_id` it holds.
    """

    name: str
    kind: str
    needed: bool
    choices: tuple[Any, ...]
    longest: int | None
    derived: bool
    fixed: bool
    refers_to: str | None


@cache
def describe(collection: str) -> dict[str, Field]:
    """Field name -> field, without the private ones, in the order of declaration. Raises BadQuery."""
    model = get_model(collection)
    keys = () if model is Movie else declaration(model).shard_key
    return {
        name: Field(
            name=name,
            kind=_KINDS[type(field)],
            needed=bool(field.required and field.default is None and name not in (*_MADE_UP, *model.derived)),
            choices=tuple(field.choices or ()),
            longest=getattr(field, "max_length", None),
            derived=name in model.derived,
            fixed=name == "_id" or name in keys,
            refers_to=REFERS_TO.get(name),
        )
        for name, field in fields_of(model).items()
        if name not in model.private
    }
