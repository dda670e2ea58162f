"""A list's state in its address: conditions, order and columns. All lists and exports share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import session, url_for
from werkzeug.datastructures import MultiDict

from app.admin.columns import VIEWS, Column, View
from app.db.core import MAX_CONDITIONS, BadQuery, Condition
from app.web.query import single

ROWS_CHOICES = (25, 50, 100, 200)
ROWS_DEFAULT = 50
DIRECTIONS = {"asc": False, "desc": True}
_ALLOWED_CONTROLS = "\t\r\n"  # a list of values may have one per line


def conditions_from(args: MultiDict[str, str]) -> list[Condition]:
    """The conditions in an address or a form, each as `filter=<field>.<operator>.<value>`.

    Fields and operators have no dots, so values may. `filters.query` checks the three parts.

    Raises:
        BadQuery: one is malformed or contains a control character, or there are too many.
    """
    texts = args.getlist("filter")
    if len(texts) > MAX_CONDITIONS:
        raise BadQuery(f"a list takes at most {MAX_CONDITIONS} conditions")
    return [_condition(text) for text in texts]


def _condition(text: str) -> Condition:
    parts = text.split(".", 2)
    if len(parts) != 3 or any(ord(letter) < 0x20 and letter not in _ALLOWED_CONTROLS for letter in text):
        raise BadQuery(f"a filter is written field.operator.value, not {text!r:.80}")
    return Condition(*parts)


def filter_parameters(conditions: Sequence[Condition]) -> list[str]:
    """The `filter` parameters for conditions with text values, as from `conditions_from`."""
    return [f"{condition.field}.{condition.operator}.{condition.value}" for condition in conditions]


@dataclass(frozen=True)
class ListState:
    """What a list shows, apart from the page's position. `columns` is empty for the default ones."""

    collection: str
    conditions: tuple[Condition, ...]
    sort: str
    direction: str
    rows: int
    columns: tuple[str, ...]

    @classmethod
    def from_args(cls, collection: str, args: MultiDict[str, str]) -> ListState:
        """The state in an address, with the view's defaults.

        Raises:
            BadQuery: a value isn't allowed. `app.db` checks the sort field and the conditions.
        """
        view = VIEWS[collection]
        sort = single(args, "sort", view.sort)
        default_direction = "desc" if sort == view.sort and view.descending else "asc"
        return cls(
            collection=collection,
            conditions=tuple(conditions_from(args)),
            sort=sort,
            direction=_choice(args, "dir", DIRECTIONS, default_direction),
            rows=int(_choice(args, "rows", {str(rows): rows for rows in ROWS_CHOICES}, str(ROWS_DEFAULT))),
            columns=_columns(view, args),
        )

    @property
    def descending(self) -> bool:
        return DIRECTIONS[self.direction]

    @property
    def shown(self) -> tuple[Column, ...]:
        """The chosen columns, or the default ones."""
        view = VIEWS[self.collection]
        return view.chosen(self.columns or tuple(column.field for column in view.columns if column.shown))

    def parameters(self) -> list[tuple[str, str]]:
        """The state as address parameters, which can be shared, saved and sent in forms."""
        return [
            ("sort", self.sort),
            ("dir", self.direction),
            ("rows", str(self.rows)),
            *([("columns", ",".join(self.columns))] if self.columns else []),
            *(("filter", text) for text in filter_parameters(self.conditions)),
        ]

    @property
    def base(self) -> str:
        """The list's address without state, for forms, which send the state themselves."""
        return url_for("records.listing", name=self.collection)

    def query(self) -> str:
        """The parameters as a query string."""
        return urlencode(self.parameters())

    def address(self, page: str = "", **position: Any) -> str:
        """The address of the list, or of a `page` below it such as "/export", at a `position`: after, before, last."""
        own = [(name, str(value)) for name, value in position.items()]
        return f"{self.base}{page}?{urlencode([*self.parameters(), *own])}"

    def but(self, **changes: Any) -> ListState:
        """This state with changes."""
        return replace(self, **changes)

    def without(self, number: int) -> ListState:
        """This state without one of its conditions."""
        return replace(self, conditions=self.conditions[:number] + self.conditions[number + 1 :])


def _choice(args: MultiDict[str, str], parameter: str, allowed: dict[str, Any], default: str) -> str:
    value = single(args, parameter, default)
    if value not in allowed:
        raise BadQuery(f"{parameter} must be one of {', '.join(allowed)}")
    return value


def _columns(view: View, args: MultiDict[str, str]) -> tuple[str, ...]:
    """The fields in `columns`: repeated in forms, separated by commas in addresses."""
    fields = {field for part in args.getlist("columns") for field in part.split(",") if field}
    if unknown := fields - view.headings.keys():
        raise BadQuery(f"there is no column {min(unknown)!r:.80}")
    return tuple(column.field for column in view.columns if column.field in fields)


def remember_columns(state: ListState, args: MultiDict[str, str]) -> ListState:
    """Remember a collection's columns from the address in the session; without any, apply the remembered ones.

    An empty `columns=` resets them to the defaults.
    """
    kept: dict[str, list[str]] = session.get("columns", {})
    if "columns" in args:
        if kept.get(state.collection, []) != list(state.columns):
            session["columns"] = {**kept, state.collection: list(state.columns)}
        return state
    headings = VIEWS[state.collection].headings
    return state.but(columns=tuple(field for field in kept.get(state.collection, []) if field in headings))
