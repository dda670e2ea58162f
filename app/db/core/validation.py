"""Converts and validates the input of imports and forms.

MongoEngine takes some 75 us to build and validate an object, too long for a million of them. So each model's field
declarations are turned once into plain functions that convert (files have text, seasons "1.0", lists like "['drama']")
and check.
"""

import ast
import math
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from bson import ObjectId
from mongoengine import (
    DateTimeField,
    EmbeddedDocumentListField,
    FloatField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)

from app.db.core.errors import BadQuery, ValidationFailed
from app.db.core.models import Credit, Model, Movie, fields_of, get_model
from app.db.core.person_names import person_id
from app.db.core.text import custom_hash, tokenize

Row = dict[str, Any]
Converter = Callable[[Any], Any]
"""Input value -> stored value. Raises ValueError with the reason."""

# Other sources' names for these fields; in Kaggle's credits.csv `id` is the film's.
ALIASES: dict[Model, dict[str, str]] = {Movie: {"id": "_id"}, Credit: {"id": "movie_id"}}

MAX_WRITTEN_LIST = 100_000  # characters; reading one takes some 500 bytes of memory for each
# Reasons are stored and shown: one for each of a hundred thousand fields would be a page of many megabytes.
MAX_UNKNOWN = 20
MAX_NAME = 100  # characters
# Surrogates, which UTF-8 can't encode, and control characters except tab and line breaks.
_NO_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_IN_LOWER_CASE = {"genres"}  # sources disagree on the spelling: Drama, drama


def _bounds(field: Any) -> tuple[float, float]:
    """The bounds of a field's numbers; without bounds in the model, any finite number."""
    low = -sys.float_info.max if field.min_value is None else field.min_value
    high = sys.float_info.max if field.max_value is None else field.max_value
    return low, high


def _out_of_bounds(number: float, low: float, high: float) -> ValueError:
    if isinstance(number, float) and not math.isfinite(number):
        return ValueError("must be a finite number")
    return ValueError(f"must be at least {low}" if number < low else f"must be at most {high}")


def plain_text(value: Any) -> str:
    """The text without surrounding white space. Raises ValueError for other types and invalid characters."""
    if type(value) is not str:
        raise ValueError("must be text")
    text = value.strip()
    if not text.isprintable() and (found := _NO_CHARACTER.search(text)):  # the first is fast, but catches line breaks
        surrogate = found[0] >= "\ud800"
        raise ValueError(f"holds {'half a surrogate pair, which is no' if surrogate else 'a control'} character")
    return text


def _text(field: Any) -> Converter:
    longest, choices = field.max_length or sys.maxsize, field.choices and frozenset(field.choices)
    pattern = field.regex  # compiled by MongoEngine
    is_id = (field.db_field or "").endswith("_id")

    def convert(value: Any) -> str:
        if is_id and type(value) is int:
            return str(value)  # Kaggle's person_id are numbers
        text = plain_text(value)
        if len(text) > longest:
            raise ValueError(f"must have at most {longest} characters")
        if choices and text not in choices:
            raise ValueError(f"must be one of {', '.join(field.choices)}")
        if pattern is not None and not pattern.match(text):
            raise ValueError("may hold letters, digits and . _ ~ - only, and not be bulk, export, new or views")
        return text

    return convert


def _integer(field: Any) -> Converter:
    (low, high), choices = _bounds(field), field.choices

    def convert(value: Any) -> int:
        number: int = value if type(value) is int else _from_text(value)
        if choices and number not in choices:
            raise ValueError(f"must be one of {', '.join(map(str, choices))}")
        if not low <= number <= high:
            raise _out_of_bounds(number, low, high)
        return number

    return convert


def _from_text(value: Any) -> int:
    if type(value) is str:
        try:
            value = float(value)
        except ValueError as error:
            raise ValueError("must be a whole number") from error
    if type(value) is not float or not value.is_integer():
        raise ValueError("must be a whole number")
    return int(value)


def _number(field: Any) -> Converter:
    low, high = _bounds(field)

    def convert(value: Any) -> float:
        if type(value) not in (float, int, str):
            raise ValueError("must be a number")
        try:
            number = float(value)
        except (ValueError, OverflowError) as error:
            raise ValueError("must be a number") from error
        if not low <= number <= high:
            raise _out_of_bounds(number, low, high)
        return number

    return convert


def _list(field: Any) -> Converter:
    item, longest, lower = _text(field.field), field.max_length, field.db_field in _IN_LOWER_CASE

    def convert(value: Any) -> list[str]:
        items = _written_list(value) if type(value) is str else value
        if type(items) is not list:
            raise ValueError("must be a list")
        if longest is not None and len(items) > longest:
            raise ValueError(f"must have at most {longest} items")
        texts = (item(entry).lower() if lower else item(entry) for entry in items)
        return list(dict.fromkeys(text for text in texts if text))  # each once, in order

    return convert


def _written_list(text: str) -> Any:
    """A list as in Kaggle's files, ['drama', 'crime'], or comma-separated items."""
    if len(text) > MAX_WRITTEN_LIST:
        raise ValueError(f"must have at most {MAX_WRITTEN_LIST:,} characters")
    if not text.lstrip().startswith("["):
        return text.split(",")
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError("is not a list like ['drama', 'crime']") from error


def _moment(_: Any) -> Converter:
    def convert(value: Any) -> datetime:
        if type(value) is str:
            try:
                value = datetime.fromisoformat(value)
            except ValueError as error:
                raise ValueError("must be a time like 2026-11-22T10:00:00Z") from error
        if type(value) is not datetime:
            raise ValueError("must be a time")
        try:
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        except OverflowError as error:
            raise ValueError("must be within the years 1 to 9999") from error

    return convert


def _object_id(_: Any) -> Converter:
    def convert(value: Any) -> ObjectId:
        if type(value) is ObjectId:
            return value
        if type(value) is not str or not ObjectId.is_valid(value):
            raise ValueError("must be 24 hexadecimal digits")
        return ObjectId(value)

    return convert


def _never_given(_: Any) -> Converter:
    def convert(_: Any) -> Any:
        raise ValueError("can't be given")

    return convert


_CONVERTERS: dict[type, Callable[[Any], Converter]] = {
    StringField: _text,
    IntField: _integer,
    FloatField: _number,
    ListField: _list,
    EmbeddedDocumentListField: _never_given,
    DateTimeField: _moment,
    ObjectIdField: _object_id,
}


@cache
def converters(collection: str) -> dict[str, Converter]:
    """Field name in the database -> its converter."""
    return {name: _CONVERTERS[type(field)](field) for name, field in fields_of(get_model(collection)).items()}


@cache
def _required(collection: str) -> dict[str, Any]:
    """The required fields with their defaults, if any."""
    model = get_model(collection)
    return {
        name: field.default for name, field in fields_of(model).items() if field.required and name not in model.derived
    }


@cache
def _plan(collection: str) -> dict[str, tuple[str, Converter]]:
    """Allowed key of an item -> its field and converter."""
    model, convert = get_model(collection), converters(collection)
    plan = {name: (name, _dropped if name in model.derived else convert[name]) for name in convert}
    return plan | {alias: plan[name] for alias, name in ALIASES.get(model, {}).items()}


def _twice(model: Model, name: str) -> str:
    (alias,) = (alias for alias, field in ALIASES[model].items() if field == name)
    return f"is given twice, as {alias} and as {name}"


def _dropped(value: Any) -> str:
    return ""


def prepare(collection: str, item: Mapping[str, Any]) -> Row:
    """The document for `item`: converted, checked, with derived fields and without empty ones.

    Raises ValidationFailed with a reason for each invalid field (of unknown ones for the first MAX_UNKNOWN, and their
    names cut to MAX_NAME), BadQuery for an unknown collection.
    """
    model, plan = get_model(collection), _plan(collection)
    document: Row = {}
    errors: dict[str, str] = {}
    unknown = 0
    for key, value in item.items():
        if value is None or value == "":
            continue
        if key not in plan:
            unknown += 1
            if unknown <= MAX_UNKNOWN:
                errors[str(key)[:MAX_NAME]] = f"{collection} have no such field"
            continue
        name, convert = plan[key]
        try:
            converted = convert(value)
        except ValueError as error:
            errors[name] = str(error)
        else:
            if converted != "":
                if name in document:
                    errors[name] = _twice(model, name)
                document[name] = converted
    if model is Credit and "name" in document and "person_id" not in document:
        document["person_id"] = person_id(document["name"])
    _complete(collection, document, errors)
    if unknown > MAX_UNKNOWN:
        errors[""] = f"has {unknown - MAX_UNKNOWN:,} more fields that {collection} don't have"
    if errors:
        raise ValidationFailed(errors)
    if model is Movie:
        document.update(_derive(document["title"]))
    return document


def _complete(collection: str, document: Row, errors: dict[str, str]) -> None:
    """Add the defaults of missing required fields; fields without a default go to `errors`."""
    for name, default in _required(collection).items():
        if name not in document and name not in errors:
            if default is None:
                errors[name] = "is missing"
            else:
                document[name] = default() if callable(default) else default


def converted_id(collection: str, document_id: Any) -> Any:
    """A document's id as stored. Raises BadQuery for an invalid one."""
    try:
        return converters(collection)["_id"](document_id)
    except ValueError as error:
        raise BadQuery(f"_id {error}") from error


def _derive(title: str) -> Row:
    tokens = tokenize(title)
    return {
        "title_hash": custom_hash(title),
        "title_norm": " ".join(tokens),
        "search_tokens": list(dict.fromkeys(tokens)),
    }
