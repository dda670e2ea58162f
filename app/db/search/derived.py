"""Keeps the collections derived from films and credits up to date: words, people, and the values to choose from.

They are updated right after every load and write. Only exact counts, and the removal of words and values that no film
has any more, wait for the daily `film-library recommend`, which also repairs what a process that died in between
missed. Until then no search returns a wrong film, as searches read the films themselves; at most, a film isn't found by
the prefix of a word (see `word_counts`).
"""

import logging
from collections.abc import Iterable

from app.db.core import DatabaseError, Row, driver_errors, get_collection, tokenize
from app.db.films import catalogue, person_directory
from app.db.search import word_counts

# In a large library a small load updates only its own documents: rebuilding everything takes a minute for a million
# films, and less than a second below LARGE.
MOST_NOTED = 1_000
LARGE = 10_000
_SOURCES = {catalogue.NAME: "movies", person_directory.NAME: "credits", word_counts.NAME: "movies"}
_MADE_FROM = {
    "movies": ("title", "type", "genres", "release_year", "production_countries"),
    "credits": person_directory.SOURCE,
}
_log = logging.getLogger(__name__)


def refresh(*collections: str) -> int:
    """Rebuild what is derived from these collections (default: all); returns how many documents changed.

    Raises DatabaseError.
    """
    wanted = {"movies", "credits"} & set(collections or ("movies", "credits"))
    changed = catalogue.refresh() if "movies" in wanted else 0
    if "credits" in wanted:
        changed += person_directory.refresh()
    return changed + word_counts.refresh() if wanted else 0


@driver_errors()
def missing() -> bool:
    """Whether a derived collection is empty although its source isn't: it was never built, or an earlier release didn't
    have it. Raises DatabaseError.
    """
    return any(_is_empty(name) and not _is_empty(source) for name, source in _SOURCES.items())


def _is_empty(name: str) -> bool:
    return get_collection(name).find_one({}, {"_id": 1}) is None


@driver_errors()
def _documents(name: str) -> int:
    return get_collection(name).estimated_document_count()


def differing(collection: str, pairs: Iterable[tuple[Row, Row]]) -> list[Row]:
    """The documents, before and after, of the pairs that differ in a field that something is derived from."""
    fields = _MADE_FROM.get(collection, ())
    changed = (pair for pair in pairs if any(pair[0].get(name) != pair[1].get(name) for name in fields))
    return [row for pair in changed for row in pair]


def note(collection: str, *rows: Row) -> None:
    """Update what is derived from films or credits that were just written (before and after) or deleted.

    Never raises database errors: the write itself is done, and the next `refresh` repairs this.
    """
    if not rows:
        return
    try:
        if collection == "movies":
            catalogue.note(rows)
            word_counts.note(token for row in rows for token in row["search_tokens"])
        elif collection == "credits":
            person_directory.note_all(row["person_id"] for row in rows)
            word_counts.note((token for row in rows for token in tokenize(row["name"])), of_name=True)
    except DatabaseError as error:
        _log.warning("derived collections not updated; film-library recommend will repair them: %s", error)


class Load:
    """Collects what a load adds to one collection and updates what is derived from it at the end.

    `begun` says that another process has added unknown documents before.
    """

    def __init__(self, collection: str, *, begun: bool = False) -> None:
        self._collection = collection
        self._begun = begun
        self._rows: list[Row] = []

    def add(self, rows: list[Row]) -> None:
        """Remember written documents, as many as matter."""
        self._rows += rows[: MOST_NOTED + 1 - len(self._rows)]

    def take_in(self) -> None:
        """Update the derived collections. Never raises database errors, as `note`."""
        if not self._rows and not self._begun:
            return
        try:
            if len(self._rows) <= MOST_NOTED and not self._begun and _documents(self._collection) > LARGE:
                note(self._collection, *self._rows)
            else:
                refresh(self._collection)
        except DatabaseError as error:
            _log.warning("derived collections not updated; film-library recommend will repair them: %s", error)
