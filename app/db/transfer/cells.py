"""Escapes text in CSV files so that spreadsheets don't run it as a formula.

As OWASP's page on CSV injection advises, a cell that begins with one of these characters gets a single quote in front.
So does a cell that begins with single quotes and then such a character, so that `unescape` restores every text.
"""

import re

# Full-width forms count too: spreadsheets of East Asian locales take them for the plain ones.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\0＝＋－＠]")  # noqa: RUF001 - full-width signs count, too


def escape(text: str) -> str:
    """The text, with a single quote before it if a spreadsheet could take it for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape(cell: str) -> str:
    """Undo `escape`."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell
