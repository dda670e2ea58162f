"""Reads parameters as plain strings, so that no MongoDB operator can hide in them."""

from __future__ import annotations

from werkzeug.datastructures import MultiDict

from app.db.core import BadQuery


def once(args: MultiDict[str, str], name: str, default: str = "") -> str:
    """The value of a parameter that may be given at most once.

    Raises:
        BadQuery: it is given twice. Layers would differ in which value they use.
    """
    values = args.getlist(name)
    if len(values) > 1:
        raise BadQuery(f"{name} is given more than once")
    return values[0] if values else default


def single(args: MultiDict[str, str], name: str, default: str = "") -> str:
    """As `once`, for short texts.

    Raises:
        BadQuery: also if it contains a control character.
    """
    value = once(args, name, default)
    if any(ord(character) < 0x20 and character not in "\t\r\n" for character in value):
        raise BadQuery(f"{name} contains a control character")
    return value
