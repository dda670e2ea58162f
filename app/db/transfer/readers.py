"""Reads records from a JSON array, JSON lines or CSV in UTF-8, optionally gzipped, from any stream of bytes.

A file is read once, forwards, with at most a batch of records in memory. A malformed record is yielded as Malformed;
reading only ends where the start of the next record can't be found.
"""

import csv
import io
import json
import re
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

from app.db.core import DatabaseError
from app.db.records import BATCH, Batch, Malformed, Numbered
from app.db.transfer import cells
from app.db.transfer.streams import CHUNK, BadFormat, Counted, not_utf8, open_text

MAX_ITEM = 1 << 20  # characters of one record; the longest film that the model allows has some 250,000, all escaped
MAX_BATCH = 4 << 20  # characters of one batch: 2,000 films have half of that
MAX_COLUMNS = 500  # of a CSV file; without a limit, commas alone take 100 times their size as records
MAX_DEPTH = 20  # nested lists and objects; the models' go two deep
TOO_DEEP = "is nested too deeply"

_NO_COMMA = {";": "semicolons", "\t": "tabs"}  # what some programs write in its place, and call CSV
_BLANKS = re.compile(r"[ \t\r\n]*")


class FileUnreadable(DatabaseError):
    """The file can't be read (further): it is missing, not text, or not in the format it seemed to be."""


class Reader:
    """A stream's records. Its `name` (titles.csv, films.json.gz) decides the format if its content doesn't."""

    heading: list[str] | None = None
    """A CSV file's columns, once the first record has been read; None for JSON."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        self._source = Counted(stream)
        self._characters = 0
        self._line = 0
        self._flaw = ""
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=self._constant)

    @property
    def position(self) -> int:
        """Bytes of the stream that have been read."""
        return self._source.count

    def batches(self, skip: int = 0) -> Iterator[Batch]:
        """All records after the first `skip`, in batches. Raises FileUnreadable after the readable ones."""
        records: list[Numbered] = []
        began = 0
        try:
            for record in islice(self, skip, None):
                records.append(record)
                if len(records) == BATCH or self._characters - began > MAX_BATCH:
                    yield Batch(records, self.position)
                    records, began = [], self._characters
        except FileUnreadable:
            if records:
                yield Batch(records, self.position)
            raise
        if records:
            yield Batch(records, self.position)

    def __iter__(self) -> Iterator[Numbered]:
        """Line and content of each record, or Malformed. Raises FileUnreadable where reading must end."""
        try:
            text, first = open_text(self._source)
            if self._is_csv(first):
                yield from self._csv_records(text)
            elif first == b"[":
                yield from self._json_array(text)
            else:
                yield from self._json_lines(text)
            if self._source.flaw:
                raise BadFormat(self._source.flaw)
        except BadFormat as error:
            raise FileUnreadable(f"{self.name}: {error}") from error
        except EOFError as error:
            raise FileUnreadable(f"{self.name}: the packed data breaks off") from error
        except (OSError, zlib.error) as error:
            raise FileUnreadable(f"{self.name}: {getattr(error, 'strerror', None) or error}") from error

    def _is_csv(self, first: bytes) -> bool:
        name = self.name.lower().removesuffix(".gz")
        if name.endswith((".json", ".jsonl", ".ndjson")):
            return False
        return name.endswith(".csv") or first not in (b"[", b"{")

    def _read_line(self, text: io.TextIOWrapper) -> str:
        line = text.readline(MAX_ITEM + 1)
        self._line += 1
        self._characters += len(line)
        if len(line) > MAX_ITEM:
            raise BadFormat(f"line {self._line} has more than {MAX_ITEM:,} characters")
        return line

    def _csv_records(self, text: io.TextIOWrapper) -> Iterator[Numbered]:
        taken: list[str] = []  # the lines of the current record, which begins at `began`
        began = 0

        def lines() -> Iterator[str]:
            while line := self._read_line(text):
                taken.append(line)
                if self._characters - began > MAX_ITEM:
                    raise BadFormat(f"line {self._line}: a record has more than {MAX_ITEM:,} characters")
                yield line

        rows = csv.reader(lines(), strict=True)
        while True:
            taken.clear()
            began = self._characters
            line = self._line + 1  # a record may span several lines; it is reported by its first
            try:
                cells_ = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                cells_, flaw = [], f"is not CSV: {error}"
            else:
                flaw = not_utf8("".join(taken))
            if self.heading is None:
                self._set_heading(line, "".join(taken), cells_, flaw)
            elif flaw:
                yield line, Malformed("".join(taken), flaw)
            elif cells_:
                yield line, self._csv_record(cells_, taken)

    def _set_heading(self, line: int, written: str, names: list[str], flaw: str) -> None:
        for separator, called in _NO_COMMA.items():
            if separator in written.strip() and "," not in written:
                raise BadFormat(f"line {line}: the heading has {called}, and no comma, between its columns")
        if flaw:
            raise BadFormat(f"line {line}: the heading {flaw}")
        if not names:  # an empty line above it
            return
        if len(names) > MAX_COLUMNS:
            raise BadFormat(f"line {line}: the heading has more than {MAX_COLUMNS} columns")
        self.heading = [name.strip() for name in names]
        if len(set(self.heading)) < len(self.heading):
            raise BadFormat(f"line {line}: two columns have one name")

    def _csv_record(self, row: list[str], taken: list[str]) -> Any:
        heading = self.heading or []
        if len(row) != len(heading):
            more = "more" if len(row) > len(heading) else "fewer"
            return Malformed("".join(taken), f"has {more} cells than the heading")
        if "_id" in heading:  # written by `exports`; elsewhere a film's id is called id
            row = [cells.unescape(cell) for cell in row]
        return dict(zip(heading, row, strict=True))

    def _json_lines(self, text: io.TextIOWrapper) -> Iterator[Numbered]:
        while line := self._read_line(text):
            if content := line.strip():
                yield self._line, self._json_record(content)

    def _json_record(self, text: str) -> Any:
        try:
            record, end = self._decode(text, 0)
        except RecursionError:
            return Malformed(text, TOO_DEEP)
        except json.JSONDecodeError as error:
            return Malformed(text, f"is not JSON: {error.msg} at character {error.pos + 1}")
        except ValueError as error:  # a number of thousands of digits
            return Malformed(text, f"is not JSON: {error}")
        if end < len(text):
            return Malformed(text, f"is not JSON: something follows the object at character {end + 1}")
        return self._json_object(record, text)

    def _json_object(self, record: Any, text: str) -> Any:
        if flaw := not_utf8(text) or self._flaw:
            return Malformed(text, flaw)
        if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(record, MAX_DEPTH):
            return Malformed(text, TOO_DEEP)
        return record if isinstance(record, dict) else Malformed(text, "is not a JSON object")

    def _decode(self, text: str, start: int) -> tuple[Any, int]:
        self._flaw = ""
        return self._decoder.raw_decode(text, start)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            names = [name for name, _ in pairs]
            self._flaw = f"has the key {max(names, key=names.count)!r:.80} twice"
        return content

    def _constant(self, name: str) -> None:
        self._flaw = f"is not JSON: {name} is no number"

    def _json_array(self, text: io.TextIOWrapper) -> Iterator[Numbered]:
        """An array's items, with at most a chunk and an item in memory."""
        ahead = _Ahead(text)
        ahead.skip_blanks()
        ahead.at += 1
        ahead.skip_blanks()
        while ahead.character != "]":
            item, end = self._array_item(ahead)
            line, written = ahead.line, ahead.text[ahead.at : end]
            self._characters += len(written)
            yield line, self._json_object(item, written)
            ahead.advance(end)
            ahead.skip_blanks()
            if ahead.character == ",":
                ahead.at += 1
                ahead.skip_blanks()
            elif ahead.character != "]":
                raise BadFormat(f"line {ahead.line}: a comma or ] must follow an item")
        ahead.at += 1
        if ahead.find_character():
            raise BadFormat(f"line {ahead.line}: something follows the end of the array")

    def _array_item(self, ahead: "_Ahead") -> tuple[Any, int]:
        while True:
            try:
                item, end = self._decode(ahead.text, ahead.at)
            except RecursionError as error:
                raise BadFormat(f"line {ahead.line}: an item {TOO_DEEP}") from error
            except ValueError as error:
                if not ahead.more():
                    at, reason = getattr(error, "pos", ahead.at), getattr(error, "msg", error)
                    raise BadFormat(f"line {ahead.line_of(at)}: {reason}") from error
            else:
                if end < len(ahead.text) or not ahead.more():  # a number at the end of a chunk may continue in the next
                    return item, end


class _Ahead:
    """The unread part of a JSON array: `text` from `at` on, which is in `line`."""

    def __init__(self, source: io.TextIOWrapper) -> None:
        self._source = source
        self.text, self.at, self.line = "", 0, 1

    @property
    def character(self) -> str:
        return self.text[self.at]

    def line_of(self, place: int) -> int:
        return self.line + self.text.count("\n", self.at, place)

    def advance(self, place: int) -> None:
        self.line, self.at = self.line_of(place), place

    def more(self) -> bool:
        """Read more and drop what has been consumed; False at the end of the file or the maximum size of an item."""
        rest = self.text[self.at :]
        added = self._source.read(max(CHUNK, len(rest))) if len(rest) < MAX_ITEM else ""
        if added:
            self.text, self.at = rest + added, 0
        return bool(added)

    def skip_blanks(self) -> None:
        """Advance to the next character that isn't white space. Raises BadFormat if there is none."""
        if not self.find_character():
            raise BadFormat(f"line {self.line}: the array isn't closed")

    def find_character(self) -> bool:
        """Advance to the next character that isn't white space; returns whether there is one."""
        while True:
            blanks = _BLANKS.match(self.text, self.at)
            self.advance(blanks.end() if blanks else self.at)
            if self.at < len(self.text):
                return True
            if not self.more():
                return False


def _is_deep(value: Any, limit: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return limit < 0 or any(_is_deep(entry, limit - 1) for entry in inner)
