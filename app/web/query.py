"""Reading the query string. What comes out is a plain string, so that no operator can hide in it."""

from __future__ import annotations

from werkzeug.datastructures import MultiDict

from app.db.core import BadQuery


def once(args: MultiDict[str, str], name: str, default: str = "") -> str:
    """The value of a parameter that may be given once.

    Raises:
        BadQuery: it is given twice: which of them counts is a guess, and guesses differ between layers.
    """
    values = args.getlist(name)
    if len(values) > 1:
        raise BadQuery(f"{name} is given more than once")
    return values[0] if values else default


def single(args: MultiDict[str, str], name: str, default: str = "") -> str:
    """As `once`, for what people don't write at length.

    Raises:
        BadQuery: also when it holds a control character.
    """
    value = once(args, name, default)
    if any(ord(character) < 0x20 and character not in "\t\r\n" for character in value):
        raise BadQuery(f"{name} holds a control character")
    return value
