"""Text in CSV files that a spreadsheet may open: what begins like a formula is written so that it isn't run as one.

By OWASP's page on CSV injection: a cell that begins with one of these characters gets a single quote before it. Here
one that begins with single quotes and then such a character gets another, so that `unescape` gives back every text.
"""

import re

# Full-width forms count too: spreadsheets of East Asian locales take them for the plain ones.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\0＝＋－＠]")  # noqa: RUF001 - full-width signs count, too


def escape(text: str) -> str:
    """The text, with a single quote before it if a spreadsheet could take it for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape(cell: str) -> str:
    """What `escape` was given."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell
