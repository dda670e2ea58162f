"""Reading films and credits from files: a JSON array, JSON lines or CSV, in UTF-8, streamed.

Kaggle's Netflix titles.csv and credits.csv are read as they are.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

from app.db import bulk, ranking, schema
from app.db.bulk import Malformed, Numbered
from app.db.errors import BadQuery, DatabaseError

IMPORTABLE = ("movies", "credits", "user_interactions")
CHUNK = 1 << 16  # characters read at a time
MAX_ITEM = 4 << 20  # characters of one record; MongoDB takes documents of 16 MB, and no film comes near either


class FileUnreadable(DatabaseError):
    """The file can't be read, or not any further: not there, not UTF-8, or not of the format that it seemed to be."""


class _BadFormatError(Exception):
    """Where and why the readers below give up."""


def import_file(
    path: Path,
    collection: str | None = None,
    *,
    on_progress: Callable[[int], None] = lambda done: None,
    on_reject: Callable[[bulk.Reject], None] = lambda reject: None,
) -> tuple[str, bulk.Counts]:
    """Load a file into a collection, by default the one that its first record's fields belong to.

    Returns the collection's name and the counts. A record that isn't taken is told to `on_reject` with its line; one
    that exists already is left as it is. Raises FileUnreadable (at the first record), BadQuery for a collection that is
    not IMPORTABLE, and bulk.LoadStopped.
    """
    records = read_records(path)
    first = list(islice(records, 1))
    collection = collection or _belongs_to(first)
    if collection not in IMPORTABLE:
        raise BadQuery(f"can't import {collection!r:.80}; only {', '.join(IMPORTABLE)}")
    with schema.deferred_indexes(collection):
        counts = bulk.load(collection, chain(first, records), on_progress=on_progress, on_reject=on_reject)
    if collection == "movies" and counts.inserted:
        ranking.recompute()
    return collection, counts


def count_records(path: Path) -> int:
    """How many records a file holds, as far as it can be read: what a progress bar goes by."""
    count = 0
    with suppress(FileUnreadable):
        for _ in read_records(path):
            count += 1
    return count


def read_records(path: Path) -> Iterator[Numbered]:
    """Line and content of each record, or Malformed. Raises FileUnreadable where reading has to end."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                yield from _csv_records(file)
            elif _first_character(file) == "[":
                yield from _json_array(file)
            else:
                yield from _json_lines(file)
    except OSError as error:
        raise FileUnreadable(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileUnreadable(f"{path} is not UTF-8: {error.reason}") from error
    except (csv.Error, _BadFormatError) as error:
        raise FileUnreadable(f"{path}: {error}") from error


def _belongs_to(records: Iterable[Numbered]) -> str:
    for _, record in records:
        keys = set(record) if isinstance(record, dict) else set()
        for collection, marks in (
            ("credits", {"role", "name"}),
            ("user_interactions", {"user_id"}),
            ("movies", {"title"}),
        ):
            if marks <= keys:
                return collection
    raise BadQuery("can't tell from the first record what the file holds; say which collection it belongs to")


def _first_character(file: TextIO) -> str:
    start = file.read(CHUNK).lstrip()
    file.seek(0)
    return start[:1]


def _csv_records(file: TextIO) -> Iterator[Numbered]:
    csv.field_size_limit(MAX_ITEM)
    reader = csv.DictReader(file, strict=True)
    if not reader.fieldnames:
        return
    if len(set(reader.fieldnames)) < len(reader.fieldnames):
        raise _BadFormatError("line 1: two columns have one name")
    while True:
        line = reader.line_num + 1  # a record may go over several lines; it is known by its first
        row = next(reader, None)
        if row is None:
            return
        if None in row or None in row.values():
            yield line, Malformed("", f"has {'more' if None in row else 'fewer'} cells than the heading")
        else:
            yield line, row


def _json_lines(file: TextIO) -> Iterator[Numbered]:
    line = 0
    while text := file.readline(MAX_ITEM):
        line += 1
        if len(text) == MAX_ITEM:
            raise _BadFormatError(f"line {line} has more than {MAX_ITEM} characters")
        if text.strip():
            yield line, _parse_line(text)


def _parse_line(text: str) -> Any:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Malformed(text[:80], f"is not JSON: {error}")
    return record if isinstance(record, dict) else Malformed(text[:80], "is not a JSON object")


def _json_array(file: TextIO) -> Iterator[Numbered]:
    """The items of one array, holding no more of the file in memory than a chunk and an item."""
    decoder, buffer, line = json.JSONDecoder(), "", 1

    def skip(characters: str) -> None:
        """Drop any of `characters` from what lies ahead; reads on to the next other one."""
        nonlocal buffer, line
        while True:
            rest = buffer.lstrip(characters)
            line += buffer.count("\n", 0, len(buffer) - len(rest))
            buffer = rest
            if buffer:
                return
            buffer = file.read(CHUNK)
            if not buffer:
                raise _BadFormatError(f"line {line}: the array isn't closed")

    skip(" \t\r\n")
    buffer = buffer[1:]
    skip(" \t\r\n")
    while buffer[0] != "]":
        while True:
            try:
                item, end = decoder.raw_decode(buffer)
                break
            except (ValueError, RecursionError) as error:
                more = file.read(max(CHUNK, len(buffer))) if len(buffer) < MAX_ITEM else ""
                if not more:
                    raise _BadFormatError(f"line {line}: {error}") from error
                buffer += more
        yield line, item if isinstance(item, dict) else Malformed(buffer[:80], "is not a JSON object")
        line += buffer.count("\n", 0, end)
        buffer = buffer[end:]
        skip(" \t\r\n")
        if buffer[0] == ",":
            buffer = buffer[1:]
            skip(" \t\r\n")
        elif buffer[0] != "]":
            raise _BadFormatError(f"line {line}: a comma or ] must follow an item")
