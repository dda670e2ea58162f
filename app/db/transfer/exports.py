"""Exports a collection's records, all or those that meet conditions, as JSON lines or CSV.

Importing the file gives the same documents: it has every field that isn't derived or private.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from app.db.core import BadQuery, Condition, Row, fields_of, get_model, iterate
from app.db.transfer import cells

MEDIA_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv"}
"""The formats and their media types."""

CHUNK = 500  # records


def export(
    collection: str,
    conditions: Sequence[Condition] = (),
    *,
    form: str = "jsonl",
    sort: str = "_id",
    descending: bool = False,
) -> Iterator[str]:
    """The text of a file with the records that meet the conditions, in pieces; `form` is one of MEDIA_TYPES.

    Raises BadQuery, at once, as `core.iterate` does and for an unknown form; the iterator raises
    DatabaseError.
    """
    if form not in MEDIA_TYPES:
        raise BadQuery(f"can't export as {form!r:.80}; there are {', '.join(MEDIA_TYPES)}")
    fields = exported_fields(collection)
    rows = iterate(collection, conditions, sort=sort, descending=descending, fields=fields)
    return _csv(fields, rows) if form == "csv" else _json_lines(fields, rows)


def exported_fields(collection: str) -> list[str]:
    """The fields that a collection's files have, in order. Raises BadQuery for an unknown collection."""
    model = get_model(collection)
    return [name for name in fields_of(model) if name not in (*model.derived, *model.private)]


def _json_lines(fields: list[str], rows: Iterator[Row]) -> Iterator[str]:
    def line(row: Row) -> str:
        return json.dumps({name: row[name] for name in fields if name in row}, default=_text, ensure_ascii=False)

    return _pieces(rows, lambda some: "".join(f"{line(row)}\n" for row in some))


def _csv(fields: list[str], rows: Iterator[Row]) -> Iterator[str]:
    def table(some: Sequence[Sequence[str]]) -> str:
        piece = io.StringIO()
        # All cells in quotes: a spreadsheet that splits at semicolons would find new cells, and formulas, in a text.
        csv.writer(piece, quoting=csv.QUOTE_ALL).writerows(some)
        return piece.getvalue()

    yield "\ufeff" + table([fields])  # by the mark Excel knows UTF-8
    yield from _pieces(rows, lambda some: table([[_cell(row.get(name)) for name in fields] for row in some]))


def _pieces(rows: Iterator[Row], written: Callable[[list[Row]], str]) -> Iterator[str]:
    while some := list(islice(rows, CHUNK)):
        yield written(some)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return cells.escape(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    """A value as text: times, MongoDB's ids, numbers."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
