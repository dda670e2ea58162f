"""What the apps look things up in and what is made from films and credits: words, people, values to choose from.

It is brought up to date at once after loads and after single writes; bulk edits and bulk deletions wait for
`film-library recommend`, which the deployment runs every day. Nothing is found wrongly meanwhile: searches look at the
films themselves.
"""

from contextlib import suppress

from app.db import catalogue, person_directory, search_words
from app.db.connection import Row, driver_errors, get_collection
from app.db.errors import DatabaseError
from app.db.text import tokenize

_SOURCES = {catalogue.NAME: "movies", person_directory.NAME: "credits", search_words.NAME: "movies"}


def refresh(*collections: str) -> int:
    """Make all of it anew that comes from these collections, by default from all; returns how many documents changed.

    Raises DatabaseError.
    """
    changed = 0
    if not collections or "movies" in collections:
        changed += catalogue.refresh()
    if not collections or "credits" in collections:
        changed += person_directory.refresh()
    return changed + search_words.refresh()


@driver_errors()
def missing() -> bool:
    """Whether a derived collection is empty though there is what it comes from: an earlier release didn't have it, or
    it has never been made. Raises DatabaseError.
    """
    return any(_is_empty(name) and not _is_empty(source) for name, source in _SOURCES.items())


def _is_empty(name: str) -> bool:
    return get_collection(name).find_one({}, {"_id": 1}) is None


def note(collection: str, *rows: Row) -> None:
    """Take in films or credits as they were before and after a write, or a credit that was just deleted.

    Never raises for the database's sake: the write itself is done, and the next `refresh` makes up for this.
    """
    with suppress(DatabaseError):
        for row in rows:
            if collection == "movies":
                catalogue.note(row)
                search_words.note(row["search_tokens"])
            elif collection == "credits":
                person_directory.note(row)
                search_words.note(tokenize(row["name"]), of_name=True)
