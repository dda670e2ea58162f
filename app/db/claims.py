"""Which film an `_id` belongs to: the proxy collection that keeps `_id` of `movies` unique across shards.

MongoDB checks `_id` on each shard by itself, and a film's shard follows from its title. A claim pins an `_id` to one
title_hash, and so to one shard, before the film is written there; on that shard the `_id` index does the rest.
A claim without a film, left by an interrupted import, serves whoever brings the film with that title next.
"""

from collections.abc import Mapping

from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError

from app.db.connection import get_collection

NAME = "movie_ids"
DUPLICATE_KEY = 11000


def claim(wanted: Mapping[str, int]) -> dict[str, int]:
    """Claim film ids, given with their title_hash. Returns the title_hash that holds each of them now."""
    ids = list(wanted)
    owners = _owners(ids)
    free = [movie_id for movie_id in ids if movie_id not in owners]
    if not free:
        return owners
    try:
        get_collection(NAME).insert_many([{"_id": i, "title_hash": wanted[i]} for i in free], ordered=False)
    except BulkWriteError as error:
        if any(problem["code"] != DUPLICATE_KEY for problem in error.details["writeErrors"]):
            raise
        return owners | _owners(free)  # somebody else was faster with some
    return owners | {i: wanted[i] for i in free}


def release(movie_id: str, title_hash: int) -> None:
    """Give up the claim of a film that has been deleted."""
    get_collection(NAME).delete_one({"_id": movie_id, "title_hash": title_hash})


def move(movie_id: str, title_hash: int, session: ClientSession) -> None:
    """Let the claim follow a film whose title changes, within that transaction."""
    claim = {"$set": {"title_hash": title_hash}}
    get_collection(NAME).update_one({"_id": movie_id}, claim, upsert=True, session=session)


def _owners(ids: list[str]) -> dict[str, int]:
    return {row["_id"]: row["title_hash"] for row in get_collection(NAME).find({"_id": {"$in": ids}})}
