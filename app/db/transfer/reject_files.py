"""Rejects files: the records that an import rejected, for correction and another import, and a file of reasons."""

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TextIO

from app.db.records import Malformed, Reject
from app.db.transfer import cells

SUFFIXES = (".csv", ".jsonl", ".reasons.csv")  # records as CSV, records as JSON lines, reasons
REASONS = ("rejected record", "line in the original", "field", "value", "reason")
VALUE = 200  # characters of a value that are shown


class Rejects(Protocol):
    """Where an import writes its rejects."""

    def add(self, reject: Reject, heading: list[str] | None) -> None:
        """Add a reason and, with a record's first, the record. `heading` is a CSV file's, None for JSON."""


class RejectsFiles:
    """The original records as CSV or JSON lines (also from JSON arrays), and a CSV file of reasons.

    At the first record `open_file` is called with two of SUFFIXES: for the records, then for the reasons.
    Bytes that aren't UTF-8 are preserved, so the files must be opened with "surrogateescape".
    """

    def __init__(self, open_file: Callable[[str], TextIO]) -> None:
        self._open = open_file
        self.files: list[TextIO] = []
        self._last: Any = None
        self._count = 0

    def add(self, reject: Reject, heading: list[str] | None) -> None:
        """Write a reason and, with its first, the record."""
        if not self.files:
            self.files.append(self._open(".jsonl" if heading is None else ".csv"))
            self.files[0].write(heading_line(heading))
            self.files.append(self._open(".reasons.csv"))
            self.files[1].write(csv_line(REASONS))
        records, reasons = self.files
        if reject.document is not self._last:
            self._last = reject.document
            self._count += 1
            records.write(written(reject.document, heading))
        reasons.write(reason_line(self._count, reject.line, reject.field, shown(reject.value), reject.reason))

    def close(self) -> None:
        """Close both files, if open."""
        for file in self.files:
            file.close()


def heading_line(heading: Sequence[str] | None) -> str:
    """The first line of a file of rejected records."""
    return "" if heading is None else csv_line(heading)


def written(document: Any, heading: Sequence[str] | None) -> str:
    """A rejected record as a line (or, in CSV, lines) of a file with that heading (None for JSON lines)."""
    if heading is None:
        return _json_line(document)
    if isinstance(document, Malformed):
        return document.text if document.text.endswith("\n") else f"{document.text}\r\n"
    escaped = "_id" in heading  # as the reader takes it
    return csv_line([cells.escape(cell) if escaped else cell for cell in document.values()])


def _json_line(document: Any) -> str:
    if isinstance(document, Malformed):  # of an array, where an item may go over several lines
        return re.sub(r"[\r\n]+", " ", document.text) + "\n"
    text = json.dumps(document, ensure_ascii=False)
    # As ASCII if it has half a surrogate pair, which can't be encoded.
    return (text if _is_unicode(text) else json.dumps(document)) + "\n"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def reason_line(number: int, line: int, field: str, value: str, reason: str) -> str:
    """A line of the file of reasons."""
    return csv_line([str(number), str(line), *map(cells.escape, (field, value, reason))])


def shown(value: Any) -> str:
    """The beginning of a rejected value, fit for a screen and a file."""
    text = "" if value is None else str(value)[:VALUE]
    return text.encode(errors="backslashreplace").decode()


def csv_line(row: Sequence[str]) -> str:
    """A line of a CSV file."""
    line = io.StringIO()
    csv.writer(line).writerow(row)
    return line.getvalue()
