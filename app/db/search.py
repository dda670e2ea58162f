"""Finding films: by words and phrases of the title, by rank, and one with all its credits."""

import re
from dataclasses import dataclass
from typing import Any

from bson import Regex

from app.db import documents
from app.db.connection import Row, driver_errors, get_collection
from app.db.cursors import Order
from app.db.errors import BadQuery
from app.db.listing import Page, check_limit, fetch_page, public
from app.db.models import CREDIT_ROLES, MAX_ID, MOVIE_TYPES
from app.db.text import tokenize

MAX_TEXT = 200  # characters
MAX_WORDS = 20

BY_RANK = Order("ranking_score", descending=True)


@dataclass(frozen=True)
class _Words:
    """What a search text asks for: whole words, word sequences, and the beginning of one more word."""

    exact: list[str]
    phrases: list[list[str]]
    prefix: str | None


def _parse(text: str) -> _Words:
    """Quoted parts are phrases; the last word outside quotes may still be being typed. A lone quote means nothing."""
    if not isinstance(text, str):
        raise BadQuery("a search text is a string")
    if len(text) > MAX_TEXT:
        raise BadQuery(f"a search text has at most {MAX_TEXT} characters")
    parts = text.split('"')
    if len(parts) % 2 == 0:
        parts[-2:] = [f"{parts[-2]} {parts[-1]}"]
    phrases = [tokens for part in parts[1::2] if (tokens := tokenize(part))]
    words = [token for part in parts[0::2] for token in tokenize(part)]
    if len(words) + sum(map(len, phrases)) > MAX_WORDS:
        raise BadQuery(f"a search text has at most {MAX_WORDS} words")
    prefix = words.pop() if words and tokenize(parts[-1]) else None
    return _Words(words, phrases, prefix)


def _conditions(words: _Words) -> list[Row]:
    # bson.Regex: Python's re.compile would send its UNICODE flag along, and then ^ doesn't bound the index scan.
    whole = dict.fromkeys([*words.exact, *(token for phrase in words.phrases for token in phrase)])
    conditions: list[dict[str, Any]] = [{"search_tokens": token} for token in whole]
    if words.prefix:
        conditions.append({"search_tokens": Regex(f"^{re.escape(words.prefix)}")})
    for phrase in words.phrases:
        conditions.append({"title_norm": Regex(f"(^| ){re.escape(' '.join(phrase))}( |$)")})
    return conditions


@driver_errors()
def search_movies(text: str, *, limit: int = 20, after: str | None = None) -> Page:
    """Films with every word of `text` and every "quoted phrase" in the title, best ranked first.

    The last word may be the beginning of one. Case, accents and punctuation don't matter.
    A text without any letter or digit finds nothing.
    Raises BadQuery when the text is no string or too long, or the cursor isn't one.
    """
    conditions = _conditions(_parse(text))
    if not conditions:
        check_limit(limit)
        return Page(rows=[], next=None, previous=None, total=0, total_is_estimate=False)
    return fetch_page("movies", {"$and": conditions}, BY_RANK, after=after, limit=limit)


@driver_errors()
def top_movies(limit: int = 100, kind: str | None = None) -> list[Row]:
    """The best ranked films, or only those of `kind` "MOVIE" or "SHOW".

    Raises BadQuery for another kind or a bad limit.
    """
    check_limit(limit)
    if kind is not None and kind not in MOVIE_TYPES:
        raise BadQuery(f"kind must be one of {', '.join(MOVIE_TYPES)}")
    query = {} if kind is None else {"type": kind}
    return list(get_collection("movies").find(query).sort(BY_RANK.keys(backwards=False)).limit(limit))


@driver_errors()
def movie_details(movie_id: str) -> Row:
    """A film, with all its credits under "credits": directors, then writers, then actors, each by name.

    Raises NotFound, or BadQuery when the id is no string.
    """
    if not isinstance(movie_id, str) or len(movie_id) > MAX_ID:
        raise BadQuery("a film's id is a short string")
    movie = documents.find("movies", movie_id)
    credit_rows = [public(row) for row in get_collection("credits").find({"movie_id": movie_id})]
    credit_rows.sort(key=lambda row: (CREDIT_ROLES.index(row["role"]), row["name"]))
    return {**movie, "credits": credit_rows}
