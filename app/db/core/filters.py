"""Filters: turn unchecked fields, operators and values into a query of checked values."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from bson import Regex
from mongoengine import DateTimeField, FloatField, IntField, ListField, ObjectIdField, StringField

from app.db.core.connection import Row
from app.db.core.errors import BadQuery
from app.db.core.models import Movie, fields_of, get_model, index_fields
from app.db.core.text import custom_hash
from app.db.core.validation import converters, plain_text

_COMPARISONS = ("eq", "ne", "gt", "gte", "lt", "lte", "between", "exists")
_BY_KIND: dict[type, tuple[str, ...]] = {
    StringField: ("contains", *_COMPARISONS, "in"),
    IntField: (*_COMPARISONS, "in"),
    FloatField: (*_COMPARISONS, "in"),
    DateTimeField: _COMPARISONS,  # listing exact milliseconds makes no sense
    ObjectIdField: ("eq", "ne", "in"),
    ListField: ("contains", "ne", "in", "exists"),
}

MAX_VALUE = 500  # characters
MAX_ITEMS = 500  # values of one "in"
MAX_CONDITIONS = 20
RANGE = ".."
_YES_OR_NO = {"yes": True, "no": False}


@dataclass(frozen=True)
class Condition:
    """One line of a filter: `field` compared with `value` by `operator`. Not checked yet.

    Values are typed, or text from a form:

    - eq, ne, gt, gte, lt, lte: one value. On a list, eq and ne compare with any item; a date without a time
      (2026-11-22) means the full day.
    - contains: part of a text, ignoring case (reads every document), or an item of a list.
    - in: a list of values, or text with one per line or separated by commas.
    - between: (low, high) or "low..high", inclusive; either end may be None or empty.
    - exists: a bool, or "yes" or "no". An empty list counts as missing.
    """

    field: str
    operator: str
    value: Any = None


def operators(collection: str, field: str) -> tuple[str, ...]:
    """The operators that fit the field's type. Raises BadQuery for an unknown or private field."""
    return _BY_KIND[_field(collection, field).kind]


def query(collection: str, conditions: Sequence[Condition]) -> Row:
    """The MongoDB query for documents that meet all conditions; several may name the same field.

    Raises BadQuery with the field and the reason: unknown or private field, wrong operator, or a value of the wrong
    type. No value can become an operator: each passes its field's converter, which refuses dictionaries.
    """
    get_model(collection)
    if len(conditions) > MAX_CONDITIONS:
        raise BadQuery(f"at most {MAX_CONDITIONS} conditions")
    parts = [_translate(collection, condition) for condition in conditions]
    return {"$and": parts} if parts else {}


def indexed(collection: str, conditions: Sequence[Condition]) -> bool:
    """Whether an index bounds at least one condition, so that not every document is read. Raises BadQuery."""
    return any(bounded(collection, condition) for condition in conditions)


def bounded(collection: str, condition: Condition) -> bool:
    """Whether an index finds the documents that meet this condition. Raises BadQuery."""
    field = _field(collection, condition.field)
    if condition.operator in ("ne", "exists"):  # nearly every document meets them
        return False
    if condition.operator == "contains" and field.kind is not ListField:
        return False
    return field.name in {fields[0] for fields in index_fields(collection)}


@dataclass(frozen=True)
class _Field:
    """A field that may be filtered by."""

    collection: str
    name: str
    kind: type

    def value(self, value: Any) -> Any:
        """A value as the field stores it; for a list, an item. Raises ValueError with the reason."""
        if isinstance(value, str) and len(value) > MAX_VALUE:
            raise ValueError(f"is compared with at most {MAX_VALUE} characters")
        convert = converters(self.collection)[self.name]
        if self.kind is ListField:
            (converted,) = convert([value]) or [""]
        else:
            converted = convert(value)
        if converted == "":
            raise ValueError("needs a value to compare with")
        return converted

    def span(self, value: Any) -> tuple[Any, Any]:
        """The first and last value that `value` covers: equal unless it is a day. Raises ValueError."""
        first = self.value(value)
        if self.kind is DateTimeField and isinstance(value, str) and _is_day(value):
            try:
                return first, first + timedelta(days=1, milliseconds=-1)
            except OverflowError as error:
                raise ValueError("must be before the end of the year 9999") from error
        return first, first


@cache
def _fields(collection: str) -> dict[str, _Field]:
    model = get_model(collection)
    return {
        name: _Field(collection, name, type(declared))
        for name, declared in fields_of(model).items()
        if name not in model.private
    }


def _field(collection: str, name: str) -> _Field:
    get_model(collection)  # before the cache, which takes hashable keys only
    if not isinstance(name, str) or name not in _fields(collection):
        raise BadQuery(f"{collection} have no field {name!r:.80}")
    return _fields(collection)[name]


def _translate(collection: str, condition: Condition) -> Row:
    field, operator = _field(collection, condition.field), condition.operator
    if operator not in OPERATORS:
        raise BadQuery(f"no such operator: {operator!r:.80}; there are {', '.join(OPERATORS)}")
    if operator == "eq" and field.kind is ListField:  # as in MongoDB
        operator = "contains"
    if operator not in (allowed := _BY_KIND[field.kind]):
        raise BadQuery(f"{field.name} can't be filtered by {operator}, only by {', '.join(allowed)}")
    try:
        return _TRANSLATORS[operator](field, condition.value)
    except ValueError as error:
        raise BadQuery(f"{field.name} {error}") from error


# One function per operator: the query for a field and a value. They raise ValueError with the reason.


def _equal(field: _Field, value: Any) -> Row:
    first, last = field.span(value)
    return _one_of(field, [first]) if first == last else {field.name: {"$gte": first, "$lte": last}}


def _not_equal(field: _Field, value: Any) -> Row:
    first, last = field.span(value)
    return {field.name: {"$ne": first} if first == last else {"$not": {"$gte": first, "$lte": last}}}


def _contains(field: _Field, value: Any) -> Row:
    if field.kind is ListField:
        return {field.name: {"$eq": field.value(value)}}
    text = plain_text(value)
    if not text or len(text) > MAX_VALUE:
        raise ValueError(f"is searched for 1 to {MAX_VALUE} characters")
    return {field.name: Regex(re.escape(text), "i")}


def _in(field: _Field, value: Any) -> Row:
    return _one_of(field, [field.value(item) for item in _items(value)])


def _exists(field: _Field, value: Any) -> Row:
    answer = _YES_OR_NO.get(value.strip().lower()) if isinstance(value, str) else value
    if type(answer) is not bool:
        raise ValueError("exists: yes or no")
    return {field.name: {"$nin" if answer else "$in": [None, []] if field.kind is ListField else [None]}}


def _between(field: _Field, value: Any) -> Row:
    low, high = _ends(value)
    bounds = {}
    if not _is_open(low):
        bounds["$gte"] = field.span(low)[0]
    if not _is_open(high):
        bounds["$lte"] = field.span(high)[1]
    if not bounds:
        raise ValueError("needs at least one end to be between")
    if len(bounds) == 2 and bounds["$gte"] > bounds["$lte"]:
        raise ValueError("can't be between an upper end and a lower one")
    return {field.name: bounds}


_TRANSLATORS: dict[str, Callable[[_Field, Any], Row]] = {
    "eq": _equal,
    "ne": _not_equal,
    # Of a day, it's the far end that is passed by "after it" and included in "until it".
    "gt": lambda field, value: {field.name: {"$gt": field.span(value)[1]}},
    "gte": lambda field, value: {field.name: {"$gte": field.span(value)[0]}},
    "lt": lambda field, value: {field.name: {"$lt": field.span(value)[0]}},
    "lte": lambda field, value: {field.name: {"$lte": field.span(value)[1]}},
    "contains": _contains,
    "in": _in,
    "exists": _exists,
    "between": _between,
}
OPERATORS = tuple(_TRANSLATORS)


def _one_of(field: _Field, values: list[Any]) -> Row:
    """The field has one of the values. A film's title leads to its shard by the hash, so only that one is asked."""
    wanted: Row = {field.name: _among(values)}
    if get_model(field.collection) is Movie and field.name == "title":
        wanted["title_hash"] = _among(list(dict.fromkeys(map(custom_hash, values))))
    return wanted


def _among(values: list[Any]) -> Row:
    return {"$eq": values[0]} if len(values) == 1 else {"$in": values}


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _ends(value: Any) -> tuple[Any, Any]:
    if isinstance(value, str):
        low, separator, high = value.partition(RANGE)
        if not separator:
            raise ValueError(f"is between two values, written like 1..2, not {value!r:.80}")
    elif isinstance(value, tuple | list) and len(value) == 2:
        low, high = value
    else:
        raise ValueError("is between two values")
    return low, high


def _is_open(end: Any) -> bool:
    return end is None or (isinstance(end, str) and not end.strip())


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        if len(value) > MAX_ITEMS * MAX_VALUE:
            raise ValueError("has too long a list of values")
        # A line for each, also where there is one: a value with a comma can be said by ending its line.
        parts = (part.strip() for part in value.split("\n" if "\n" in value else ","))
        items: list[Any] = [part for part in parts if part]
    elif isinstance(value, list | tuple | set | frozenset):
        items = list(value)
    else:
        raise ValueError("needs a list of values")
    if not 1 <= len(items) <= MAX_ITEMS:
        raise ValueError(f"can be one of 1 to {MAX_ITEMS} values")
    return items
