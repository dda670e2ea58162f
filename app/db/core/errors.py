"""The errors that `app.db` raises; the driver's own never reach callers."""

from collections.abc import Mapping
from typing import Any


class DatabaseError(Exception):
    """Base of all errors below."""


class DatabaseUnavailable(DatabaseError):
    """No answer now, but perhaps later: no primary, no network, a refused log-in, an index still being built."""


class NotFound(DatabaseError):
    """The document asked for does not exist."""


class Duplicate(DatabaseError):
    """A document with this identity exists already."""


class BadQuery(DatabaseError):
    """The request isn't a valid query: wrong type, unknown name, out of bounds. The message may be shown to users."""


class ValidationFailed(DatabaseError):
    """A document breaks its model's rules; `errors` has a message for each field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in self.errors.items()))


class Referenced(DatabaseError):
    """Other documents refer to this one; `references` has their number by collection."""

    def __init__(self, references: Mapping[str, int]) -> None:
        self.references = dict(references)
        super().__init__(", ".join(f"{count} {collection}" for collection, count in self.references.items()))


class Conflict(DatabaseError):
    """The document was changed since it was read; `current` is its content now."""

    def __init__(self, current: Mapping[str, Any]) -> None:
        self.current = dict(current)
        super().__init__("the document has been changed in the meantime")


class TooSlow(DatabaseError):
    """The query hit its time limit: no index serves it, and the collection is large."""


class JobStopped(DatabaseError):
    """This worker must stop working on the job; another one may have taken it over."""


class JobCancelled(JobStopped):
    """Somebody cancelled the job."""
