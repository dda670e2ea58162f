"""What the apps look things up in and what is made from films and credits: words, people, values to choose from.

It is brought up to date at once after loads and other writes, bulk edits and their undoing too; but how many films have
a word or a value, and whether none has it any more, is counted by `film-library recommend`, which the deployment runs
every day. That also makes up for a process that died between a write and this. Until then nothing is found wrongly, as
searches look at the films themselves, and a film is missed by the beginning of a word at most (see `word_counts`).
"""

import logging
from collections.abc import Iterable

from app.db.core import DatabaseError, Row, driver_errors, get_collection, tokenize
from app.db.films import catalogue, person_directory
from app.db.search import word_counts

# Of a load of a few documents only these are taken in where there are many: all anew takes a minute for a million
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
    """Make all of it anew that comes from these collections, by default from all; returns how many documents changed.

    Raises DatabaseError.
    """
    wanted = {"movies", "credits"} & set(collections or ("movies", "credits"))
    changed = catalogue.refresh() if "movies" in wanted else 0
    if "credits" in wanted:
        changed += person_directory.refresh()
    return changed + word_counts.refresh() if wanted else 0


@driver_errors()
def missing() -> bool:
    """Whether a derived collection is empty though there is what it comes from: an earlier release didn't have it, or
    it has never been made. Raises DatabaseError.
    """
    return any(_is_empty(name) and not _is_empty(source) for name, source in _SOURCES.items())


def _is_empty(name: str) -> bool:
    return get_collection(name).find_one({}, {"_id": 1}) is None


@driver_errors()
def _documents(name: str) -> int:
    return get_collection(name).estimated_document_count()


def differing(collection: str, pairs: Iterable[tuple[Row, Row]]) -> list[Row]:
    """The documents, as they were and as they are, that differ in what something is made from."""
    fields = _MADE_FROM.get(collection, ())
    changed = (pair for pair in pairs if any(pair[0].get(name) != pair[1].get(name) for name in fields))
    return [row for pair in changed for row in pair]


def note(collection: str, *rows: Row) -> None:
    """Take in films or credits as they were before and after a write, or a credit that was just deleted.

    Never raises for the database's sake: the write itself is done, and the next `refresh` makes up for this.
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
        _log.warning("not taken in, which film-library recommend makes up for: %s", error)


class Load:
    """What a load adds to one collection, to be taken in when it ends: by itself if it is little, or all anew.

    `begun` says that another process has added documents before, of which nothing is known here.
    """

    def __init__(self, collection: str, *, begun: bool = False) -> None:
        self._collection = collection
        self._begun = begun
        self._rows: list[Row] = []

    def add(self, rows: list[Row]) -> None:
        """Remember documents that have been written, as many as make a difference."""
        self._rows += rows[: MOST_NOTED + 1 - len(self._rows)]

    def take_in(self) -> None:
        """Never raises for the database's sake, as `note`."""
        if not self._rows and not self._begun:
            return
        try:
            if len(self._rows) <= MOST_NOTED and not self._begun and _documents(self._collection) > LARGE:
                note(self._collection, *self._rows)
            else:
                refresh(self._collection)
        except DatabaseError as error:
            _log.warning("not brought up to date, which film-library recommend makes up for: %s", error)
