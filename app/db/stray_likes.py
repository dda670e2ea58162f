"""Likes that belong to nothing: of films and accounts that aren't there.

A like is one statement that checks neither (see `app.db.favourites`), and a film or an account may go while it is made.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import islice

from app.db.connection import Row, driver_errors, get_collection, time_limit
from app.db.listing import iterate
from app.db.models import now

GRACE = timedelta(minutes=5)  # what is younger may be a like of what is being written at this moment
BATCH = 5_000  # likes
BATCH_TIMEOUT_S = 120.0


def sweep(renew: Callable[[], None]) -> int:
    """Remove them, in one pass over all likes; returns how many. `renew` is called before each batch.

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
        stray = [like["_id"] for like in likes if like["movie_id"] not in films or like["user_id"] not in users]
        if not stray:
            return 0
        return get_collection("user_interactions").delete_many({"_id": {"$in": stray}}).deleted_count


def _there(collection: str, likes: list[Row], field: str) -> set[str]:
    """Those of the documents that likes refer to that there are."""
    wanted = {"_id": {"$in": list({like[field] for like in likes})}}
    return {row["_id"] for row in get_collection(collection).find(wanted, {"_id": 1})}
