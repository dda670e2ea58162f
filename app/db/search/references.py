"""Names for the ids by which documents refer to each other, and finding a document by a prefix of its name."""

import re
from collections.abc import Iterable

from bson import Regex

from app.db.core import BadQuery, Row, driver_errors, get_collection
from app.db.search.film_search import search_movies
from app.db.search.query_text import MAX_TEXT

# The name field of each collection that others refer to. Both are indexed.
NAMES = {"movies": "title", "users": "username"}
MAX_FOUND = 10


@driver_errors()
def names_of(collection: str, ids: Iterable[str]) -> dict[str, str]:
    """_id -> name for those of `ids` that exist. Raises BadQuery unless the collection is in NAMES."""
    name = _name_field(collection)
    wanted = {identifier for identifier in ids if isinstance(identifier, str)}
    if not wanted:
        return {}
    found = get_collection(collection).find({"_id": {"$in": sorted(wanted)}}, {name: 1})
    return {row["_id"]: row[name] for row in found}


@driver_errors()
def suggest(collection: str, text: str) -> list[Row]:
    """At most MAX_FOUND documents that match `text`: the one with this _id, then by name.

    Films by the words of the title, best ranked first; users by a prefix of the name. Each is
    {_id, <name field>, ...} as in the collection, without private fields.
    Raises BadQuery for a collection that isn't in NAMES, and for no string or more than MAX_TEXT characters.
    """
    name = _name_field(collection)
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise BadQuery(f"a search text has at most {MAX_TEXT} characters")
    text = text.strip()
    if not text:
        return []
    shown = {name: 1, "release_year": 1} if collection == "movies" else {name: 1}
    exact = list(get_collection(collection).find({"_id": text}, shown))
    if collection == "movies":
        others = search_movies(text, limit=MAX_FOUND).rows
    else:
        beginning = {name: Regex(f"^{re.escape(text.lower())}")}  # names are kept in lower case
        others = list(get_collection(collection).find(beginning, shown).sort(name).limit(MAX_FOUND))
    return [*exact, *(row for row in others if row["_id"] != text)][:MAX_FOUND]


def _name_field(collection: str) -> str:
    if collection not in NAMES:
        raise BadQuery(f"nothing refers to {collection!r:.80}")
    return NAMES[collection]
