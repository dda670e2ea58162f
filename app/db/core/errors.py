"""What `app.db` raises. Callers see these and nothing of the driver's."""

from collections.abc import Mapping
from typing import Any


class DatabaseError(Exception):
    """Base of all errors below."""


class DatabaseUnavailable(DatabaseError):
    """No answer now: no primary, no network, a log-in refused, an index still being built. Later there may be one."""


class NotFound(DatabaseError):
    """The document asked for does not exist."""


class Duplicate(DatabaseError):
    """A document with this identity exists already."""


class BadQuery(DatabaseError):
    """The request can't be made into a query: wrong type, unknown name, out of bounds. The message may be shown."""


class ValidationFailed(DatabaseError):
    """A document breaks its model's rules; `errors` has one sentence a field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in self.errors.items()))


class Referenced(DatabaseError):
    """Other documents point at this one; `references` says how many in which collection."""

    def __init__(self, references: Mapping[str, int]) -> None:
        self.references = dict(references)
        super().__init__(", ".join(f"{count} {collection}" for collection, count in self.references.items()))


class Conflict(DatabaseError):
    """Somebody else changed the document since it was read; `current` is what it holds now."""

    def __init__(self, current: Mapping[str, Any]) -> None:
        self.current = dict(current)
        super().__init__("the document has been changed meanwhile")


class TooSlow(DatabaseError):
    """The database gave the query up at its time limit: no index serves it, and the collection is large."""


class JobStopped(DatabaseError):
    """This worker is to do nothing more at the job, which another one may have taken over."""


class JobCancelled(JobStopped):
    """Somebody asked for the job's end."""
