"""Conditions on fields, from names and values that nobody has checked yet."""

import re
from dataclasses import dataclass
from typing import Any

from bson import Regex
from mongoengine import ListField, StringField

from app.db.connection import Row
from app.db.errors import BadQuery
from app.db.models import fields_of, get_model
from app.db.validation import converters

_COMPARISONS = {"eq": "$eq", "ne": "$ne", "gt": "$gt", "gte": "$gte", "lt": "$lt", "lte": "$lte"}
OPERATORS = (*_COMPARISONS, "contains")
MAX_VALUE = 500  # characters


@dataclass(frozen=True)
class Condition:
    """One line of a filter: `field` stands to `value` as `operator` says. Nothing in it has been checked yet."""

    field: str
    operator: str
    value: Any = None


def condition(collection: str, field: str, operator: str, value: Any) -> Row:
    """The condition that `field` stands to `value` as `operator` (one of OPERATORS) says.

    "contains" looks for a part of the text in any case, or for an item of a list; it reads every document.
    Raises BadQuery when the collection has no such field, or the value is not of the field's kind.
    """
    model = get_model(collection)
    declared = fields_of(model).get(field) if isinstance(field, str) else None
    if declared is None or field in model.private:
        raise BadQuery(f"{collection} have no field {field!r:.80}")
    if isinstance(value, str) and len(value) > MAX_VALUE:
        raise BadQuery(f"{field}: at most {MAX_VALUE} characters")
    if operator == "contains":
        if not isinstance(value, str) or not isinstance(declared, StringField | ListField):
            raise BadQuery(f"{field}: only a text can contain a text")
        return {field: Regex(re.escape(value), "i")}
    if operator not in _COMPARISONS:
        raise BadQuery(f"no such operator: {operator!r:.80}; there are {', '.join(OPERATORS)}")
    try:
        return {field: {_COMPARISONS[operator]: converters(collection)[field](value)}}
    except ValueError as error:
        raise BadQuery(f"{field} {error}") from error
