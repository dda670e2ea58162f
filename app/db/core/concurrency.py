"""Optimistic concurrency: an edit names the version of the document that it is based on."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from app.db.core.errors import Conflict
from app.db.core.listing import public
from app.db.core.models import COLLECTIONS

# Derived fields change without an edit (a new ranking), and private ones are never shown for editing.
_NOT_OWN = {name for model in COLLECTIONS.values() for name in (*model.derived, *model.private)}


def version(row: Mapping[str, Any]) -> str:
    """A digest of a document's own fields, 32 hexadecimal digits; it changes when any of them does.

    The same for a raw row and a public one.
    """
    own = {name: value for name, value in row.items() if name not in _NOT_OWN}
    canonical = json.dumps(own, sort_keys=True, default=str)  # str: ids and times
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def check_version(row: Mapping[str, Any], expected: str | None) -> None:
    """Raises Conflict unless `row`, without private fields, is the expected version. None accepts any."""
    if expected is not None and version(row) != expected:
        raise Conflict(public({**row}))
