"""Likes: at most one document for each user and film.

Liking and unliking are each one idempotent statement to one shard: the unique index on (user_id, movie_id), which
begins with the shard key, prevents duplicates. So nothing checks whether the film exists or how many likes a user has;
the user app limits their rate. Readers skip missing films and read at most MAX_LIKES.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pymongo.errors import DuplicateKeyError

from app.db.core import (
    ID_PATTERN,
    MAX_ID,
    MAX_LIMIT,
    BadQuery,
    Order,
    Page,
    Row,
    check_limit,
    driver_errors,
    fetch_page,
    get_collection,
    now,
)
from app.db.films import CARD, MAX_EXCLUDED

NAME = "user_interactions"
BATCH = 1_000  # likes read or deleted at a time
MAX_LIKES = MAX_EXCLUDED  # of a user that are read, so that no page grows without bound

# Sort order of `page` -> (collection, field).
SORTS = {
    "liked": (NAME, "created_at"),
    "title": ("movies", "title_norm"),
    "year": ("movies", "release_year"),
    "rating": ("movies", "ranking_score"),
}


@driver_errors()
def like(user_id: str, movie_id: str) -> None:
    """Make the user like the film; an existing like stays. One round trip. Raises BadQuery for an invalid id."""
    key = _key(user_id, movie_id)
    with suppress(DuplicateKeyError):  # liked concurrently in another window
        get_collection(NAME).update_one(key, {"$setOnInsert": {"created_at": now()}}, upsert=True)


@driver_errors()
def unlike(user_id: str, movie_id: str) -> None:
    """Remove the user's like of the film, if any. One round trip. Raises BadQuery for an invalid id."""
    get_collection(NAME).delete_one(_key(user_id, movie_id))


@driver_errors()
def liked(user_id: str) -> frozenset[str]:
    """The ids of the films that the user likes, MAX_LIKES at most. Raises BadQuery."""
    found = get_collection(NAME).find({"user_id": _user(user_id)}, {"_id": 0, "movie_id": 1})
    return frozenset(row["movie_id"] for row in found.limit(MAX_LIKES))


@driver_errors()
def liked_among(user_id: str, ids: Iterable[str]) -> frozenset[str]:
    """The films among `ids` (at most MAX_LIMIT) that the user likes, for the buttons on a page. Raises BadQuery."""
    wanted = {_film(identifier) for identifier in ids}
    if len(wanted) > MAX_LIMIT:
        raise BadQuery(f"at most {MAX_LIMIT} films at a time")
    if not wanted:
        return frozenset()
    query = {"user_id": _user(user_id), "movie_id": {"$in": sorted(wanted)}}
    return frozenset(row["movie_id"] for row in get_collection(NAME).find(query, {"_id": 0, "movie_id": 1}))


@driver_errors()
def count(user_id: str) -> int:
    """The number of existing films that the user likes, at most MAX_LIKES. Raises BadQuery."""
    return get_collection("movies").count_documents({"_id": {"$in": sorted(liked(user_id))}})


@driver_errors()
def page(
    user_id: str, *, sort: str = "liked", descending: bool = True, after: str | None = None, limit: int = 24
) -> Page:
    """The films that the user likes, as `catalogue.CARD_FIELDS` and `liked_at`; deleted ones are left out.

    `sort` is one of SORTS. Raises BadQuery for another one, and for an invalid id, cursor or limit.
    """
    check_limit(limit)
    if not isinstance(sort, str) or sort not in SORTS:
        raise BadQuery(f"likes are sorted by {', '.join(SORTS)}")
    query = {"user_id": _user(user_id)}
    collection, field = SORTS[sort]
    order = Order(field, bool(descending))
    if collection == NAME:
        likes = fetch_page(NAME, query, order, after=after, limit=limit)
        films = {row["_id"]: row for row in get_collection("movies").find(_among(likes.rows), CARD)}
        there = [row for row in likes.rows if row["movie_id"] in films]
        return replace(likes, rows=[{**films[row["movie_id"]], "liked_at": row["created_at"]} for row in there])
    likes_of_user = list(get_collection(NAME).find(query, {"movie_id": 1, "created_at": 1}).limit(MAX_LIKES))
    liked_at = {row["movie_id"]: row["created_at"] for row in likes_of_user}
    # By _id: following the sort order's index past all films that aren't liked would take seconds.
    found = fetch_page(
        "movies", _among(likes_of_user), order, after=after, limit=limit, projection={**CARD, field: 1}, hint="_id_"
    )
    return replace(found, rows=[{**film, "liked_at": liked_at[film["_id"]]} for film in found.rows])


@driver_errors()
def erase(user_id: str) -> int:
    """Delete all likes of a user whose account is deleted; returns how many. Raises BadQuery.

    In batches, so that no statement exceeds its time limit.
    """
    likes, erased = get_collection(NAME), 0
    while batch := [row["_id"] for row in likes.find({"user_id": _user(user_id)}, {"_id": 1}).limit(BATCH)]:
        erased += likes.delete_many({"user_id": user_id, "_id": {"$in": batch}}).deleted_count
    return erased


def _among(likes: list[Row]) -> Row:
    return {"_id": {"$in": [row["movie_id"] for row in likes]}}


def _key(user_id: Any, movie_id: Any) -> Row:
    return {"user_id": _user(user_id), "movie_id": _film(movie_id)}


def _user(identifier: Any) -> str:
    if not isinstance(identifier, str) or not 1 <= len(identifier) <= MAX_ID:
        raise BadQuery("that can't be the id of a user")
    return identifier


def _film(identifier: Any) -> str:
    if not isinstance(identifier, str) or len(identifier) > MAX_ID or not re.fullmatch(ID_PATTERN, identifier):
        raise BadQuery("that can't be the id of a film")
    return identifier
