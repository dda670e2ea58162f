"""A list's filter on the page: its conditions in words, and the form that adds one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from app.admin.columns import VIEWS
from app.admin.views import ListState
from app.db.core import BadQuery, Condition, filters
from app.db.records import Field, describe
from app.web.query import single

WORDS = {
    "eq": "is",
    "ne": "is not",
    "contains": "contains",
    "gt": "is more than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "between": "is between",
    "in": "is one of",
    "exists": "is filled in",
}
ROLES = {"1": "Admin", "2": "Superadmin"}


@dataclass(frozen=True)
class Draft:
    """A condition in the form: being added, or taken from the list to be changed."""

    condition: Condition
    added: bool

    @classmethod
    def from_args(cls, args: MultiDict[str, str]) -> Draft:
        """Raises BadQuery if a part is given twice."""
        field, operator, value = (single(args, name) for name in ("field", "operator", "value"))
        return cls(Condition(field, operator, value), added=bool(field) and "change" not in args)


def chips(state: ListState) -> list[dict[str, Any]]:
    """Each condition in words, links to change and remove it, and whether an index covers it (None: it is invalid)."""
    return [_chip(state, number, condition) for number, condition in enumerate(state.conditions)]


def _chip(state: ListState, number: int, condition: Condition) -> dict[str, Any]:
    without = state.without(number)
    try:
        filters.query(state.collection, [condition])
        indexed = filters.indexed(state.collection, [condition])
    except BadQuery:
        indexed = None
    draft = {"field": condition.field, "operator": condition.operator, "value": condition.value, "change": 1}
    return {
        "text": in_words(state.collection, condition),
        "indexed": indexed,
        "change": without.address(**draft),
        "remove": without.address(),
    }


def in_words(collection: str, condition: Condition) -> str:
    """A condition in words: "Year is between 1990 and 1999"."""
    heading = VIEWS[collection].headings.get(condition.field, condition.field)
    if condition.operator == "exists":
        return f"{heading} is {'filled in' if condition.value == 'yes' else 'empty'}"
    value = ", ".join(condition.value.split("\n"))
    if condition.operator == "between":
        low, _, high = value.partition(filters.RANGE)
        value = f"{low or '…'} and {high or '…'}"
    if condition.field == "admin_status":
        value = ROLES.get(value, value)
    return f"{heading} {WORDS.get(condition.operator, condition.operator)} {value or '(nothing)'}"


def fields_to_choose(collection: str) -> list[dict[str, Any]]:
    """The fields for conditions: field, heading, operators, kind and choices, for the form and its script."""
    described = describe(collection)
    return [
        {
            "field": column.field,
            "heading": column.heading,
            "operators": filters.operators(collection, column.field),
            "kind": described[column.field].kind,
            "choices": choices_of(described[column.field]),
        }
        for column in VIEWS[collection].columns
    ]


def choices_of(field: Field) -> list[tuple[str, str]]:
    """(value, text) of a field's allowed values; empty if it takes any."""
    words = ROLES if field.name == "admin_status" else {}
    return [(str(choice), words.get(str(choice), str(choice))) for choice in field.choices]
