"""Stray likes: likes of films or by accounts that don't exist.

A like is one statement that checks neither (see `likes`), and a film or account may be deleted at the same time.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import islice

from pymongo.read_concern import ReadConcern

from app.db.core import Row, driver_errors, get_collection, iterate, now, time_limit

GRACE = timedelta(minutes=5)  # a younger like may be of a film that is being written
BATCH = 5_000  # likes
BATCH_TIMEOUT_S = 120.0


def sweep(renew: Callable[[], None]) -> int:
    """Remove stray likes in one pass over all likes; returns how many. Calls `renew` before each batch.

    Raises DatabaseError, and what `renew` raises.
    """
    removed, oldest = 0, now() - GRACE
    likes = iterate("user_interactions", fields=["user_id", "movie_id", "created_at"])
    while batch := list(islice(likes, BATCH)):
        renew()
        removed += _remove([like for like in batch if like["created_at"] < oldest])
    return removed


@driver_errors()
def _remove(likes: list[Row]) -> int:
    with time_limit(BATCH_TIMEOUT_S):
        films, users = _there("movies", likes, "movie_id"), _there("users", likes, "user_id")
        stray = {like["_id"] for like in likes if like["movie_id"] not in films or like["user_id"] not in users}
        if not stray:
            return 0
        # With the users, as user_id is the shard key and targets the shards.
        whose = list({like["user_id"] for like in likes if like["_id"] in stray})
        query = {"user_id": {"$in": whose}, "_id": {"$in": list(stray)}}
        return get_collection("user_interactions").delete_many(query).deleted_count


def _there(collection: str, likes: list[Row], field: str) -> set[str]:
    """The ids of existing documents that these likes refer to.

    Read at one point in time on all shards: otherwise a film that moves between shards because its title changes might
    be missed on both, and all of its likes would be deleted.
    """
    wanted = {"_id": {"$in": list({like[field] for like in likes})}}
    documents = get_collection(collection).with_options(read_concern=ReadConcern("snapshot"))
    return {row["_id"] for row in documents.find(wanted, {"_id": 1})}
