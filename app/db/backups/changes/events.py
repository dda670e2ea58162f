"""What an event does to a document. Values that it doesn't touch stay the bytes that they are.

https://www.mongodb.com/docs/manual/reference/change-events/
"""

from collections.abc import Mapping, MutableMapping
from typing import Any

import bson
from bson import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

# Dates outside of Python's range, too.
_EXACT: CodecOptions[RawBSONDocument] = CodecOptions(
    RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS
)


class DoesNotFit(Exception):
    """An update that isn't of this document."""


def exact(document: bytes | memoryview) -> RawBSONDocument:
    """A document of which each value can be written again as it is."""
    return RawBSONDocument(bytes(document), _EXACT)


def has_key(document: Mapping[str, Any], key: Mapping[str, Any]) -> bool:
    """Whether a document has an event's `documentKey`: the shard key's values and `_id`."""
    return all(_same(document, path, value) for path, value in key.items())


def _same(document: Mapping[str, Any], path: str, value: Any) -> bool:
    found: Any = document
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return bson.encode({"": found}, codec_options=_EXACT) == bson.encode({"": value}, codec_options=_EXACT)


def updated(document: RawBSONDocument, description: Mapping[str, Any]) -> RawBSONDocument:
    """A document after an update, by the event's `updateDescription`. Raises DoesNotFit."""
    changed: dict[str, Any] = dict(document.items())
    for path in description["removedFields"]:
        _set(changed, path.split("."), _REMOVED)
    for array in description["truncatedArrays"]:
        _set(changed, array["field"].split("."), _Truncated(array["newSize"]))
    for path, value in description["updatedFields"].items():
        _set(changed, path.split("."), value)
    return exact(bson.encode(changed, codec_options=_EXACT))


_REMOVED = object()


class _Truncated:
    def __init__(self, size: int) -> None:
        self.size = size


def _set(container: Any, path: list[str], value: Any) -> None:
    """Change a value at a path inside dictionaries and lists; raw documents on the way become dictionaries."""
    *way, last = path
    for name in way:
        inner = _get(container, name)
        if isinstance(inner, RawBSONDocument):
            inner = dict(inner.items())
        elif isinstance(inner, list):
            inner = list(inner)
        _put(container, name, inner)
        container = inner
    if isinstance(value, _Truncated):
        array = _get(container, last)
        if not isinstance(array, list):
            raise DoesNotFit(f"{last} is no array")
        value = array[: value.size]
    if value is not _REMOVED:
        _put(container, last, value)
    elif isinstance(container, MutableMapping):
        container.pop(last, None)
    else:
        raise DoesNotFit(f"{last} can't be removed")


def _get(container: Any, name: str) -> Any:
    if isinstance(container, Mapping) and name in container:
        return container[name]
    if isinstance(container, list) and name.isdigit() and int(name) < len(container):
        return container[int(name)]
    raise DoesNotFit(f"there is no {name}")


def _put(container: Any, name: str, value: Any) -> None:
    if isinstance(container, MutableMapping):
        container[name] = value
    elif isinstance(container, list) and name.isdigit():
        place = int(name)
        # MongoDB fills up with nulls.
        container.extend([None] * (place + 1 - len(container)))
        container[place] = value
    else:
        raise DoesNotFit(f"{name} can't be set")
