"""A list's state in its address: which records, in which order, with which columns. All lists and exports share it."""

from __future__ import annotations

from collections.abc import Sequence

from werkzeug.datastructures import MultiDict

from app.db.errors import BadQuery
from app.db.filters import Condition

MAX_CONDITIONS = 20
_ALLOWED_CONTROLS = "\t\r\n"  # a list of values may have one a line


def conditions_from(args: MultiDict[str, str]) -> list[Condition]:
    """The conditions in an address or a form: `filter=<field>.<operator>.<value>`, once for each.

    No field or operator has a dot, so that the value may have any. What the three parts are is for
    `app.db.filters.query` to check, not for this.

    Raises:
        BadQuery: one isn't of that form or holds a control character, or there are too many.
    """
    texts = args.getlist("filter")
    if len(texts) > MAX_CONDITIONS:
        raise BadQuery(f"a list takes at most {MAX_CONDITIONS} conditions")
    conditions = []
    for text in texts:
        parts = text.split(".", 2)
        if len(parts) != 3 or any(ord(letter) < 0x20 and letter not in _ALLOWED_CONTROLS for letter in text):
            raise BadQuery(f"a filter is written field.operator.value, not {text!r:.80}")
        conditions.append(Condition(*parts))
    return conditions


def filter_parameters(conditions: Sequence[Condition]) -> list[str]:
    """The values of `filter` that stand for these conditions, whose values are text as `conditions_from` gives it."""
    return [f"{condition.field}.{condition.operator}.{condition.value}" for condition in conditions]
