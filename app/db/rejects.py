"""What an import refused, kept for correction: the records in a file that can be imported again, reasons beside it."""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any, TextIO

from app.db import cells
from app.db.bulk import Malformed, Reject

REASONS = ("rejected record", "line in the original", "field", "value", "reason")
SUFFIXES = (".csv", ".jsonl", ".reasons.csv")  # records as CSV, records as JSON lines, reasons
VALUE = 200  # characters of a value that are shown


class Rejects:
    """Writes refused records as they came, CSV or JSON lines (JSON arrays too), and a CSV file of reasons.

    `open_file` is asked for two files at the first record, by their SUFFIXES: for the records, then for the reasons.
    What was no UTF-8 is written back byte for byte, so the files must be open with "surrogateescape".
    """

    def __init__(self, open_file: Callable[[str], TextIO]) -> None:
        self._open = open_file
        self.files: list[TextIO] = []
        self._last: Any = None
        self.count = 0

    def add(self, reject: Reject, heading: list[str] | None) -> None:
        """Write a reason and, with its first, the record. `heading` is a CSV file's, None for JSON."""
        if not self.files:
            self._begin(heading)
        records, reasons = self.files
        if reject.document is not self._last:
            self._last = reject.document
            self.count += 1
            records.write(_written(reject.document, heading))
        row = (self.count, reject.line, reject.field, shown(reject.value), reject.reason)
        csv.writer(reasons).writerow([cells.escape(cell) if isinstance(cell, str) else cell for cell in row])

    def close(self) -> None:
        """Close both files, if there are any."""
        for file in self.files:
            file.close()

    def _begin(self, heading: list[str] | None) -> None:
        self.files.append(self._open(".jsonl" if heading is None else ".csv"))
        self.files.append(self._open(".reasons.csv"))
        if heading is not None:
            self.files[0].write(_csv_line(heading))
        csv.writer(self.files[1]).writerow(REASONS)


def shown(value: Any) -> str:
    """The beginning of a refused value, fit for a screen and a file."""
    text = "" if value is None else str(value)[:VALUE]
    return text.encode(errors="backslashreplace").decode()


def _written(document: Any, heading: list[str] | None) -> str:
    if isinstance(document, Malformed):
        if heading is None:  # of an array, where an item may go over several lines
            return re.sub(r"[\r\n]+", " ", document.text) + "\n"
        return document.text if document.text.endswith("\n") else f"{document.text}\r\n"
    if heading is None:
        # ASCII only where there is half a surrogate pair, which no file can hold.
        text = json.dumps(document, ensure_ascii=False)
        return (text if _is_unicode(text) else json.dumps(document)) + "\n"
    escaped = "_id" in heading  # as the reader takes it
    return _csv_line([cells.escape(cell) if escaped else cell for cell in document.values()])


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _csv_line(row: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(row)
    return line.getvalue()
