"""Claims on film ids: the proxy collection that keeps `_id` of `movies` unique across shards.

MongoDB checks `_id` on each shard separately, and a film's shard follows from its title. A claim ties an `_id` to one
title_hash, and so to one shard, before the film is written there; on that shard the `_id` index ensures
uniqueness. A claim without a film, left by an interrupted import, can be adopted by a later writer of that film, or is
swept in time.

    {_id: film's, title_hash, at: when claimed or adopted last, adopted: how often adopted without its film}

Two rules make this safe under concurrency. Adopting a claim and writing the film is one transaction, so it conflicts
with a concurrent change of title. And a title whose claim was adopted can't change for LEASE: until then the import
that made the claim may still write the film to that shard.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice

from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError

from app.db.core import DUPLICATE_KEY, Row, ValidationFailed, driver_errors, get_collection, now

NAME = "movie_ids"
# An import writes its films within bulk.BATCH_TIMEOUT_S (120 s) of claiming them, or not at all.
LEASE = timedelta(minutes=5)
SWEEP_BATCH = 5_000


def claim_new(wanted: Mapping[str, int], *, expect_new: bool = False) -> tuple[dict[str, int], set[str]]:
    """Claim film ids, given with their title_hash, for an import that inserts the films next.

    Returns each id's title_hash by its claim, and which claims are new. A film with a new claim can be inserted right
    away. An existing claim may be left from an interrupted import: its film must go through `records.documents.add`, in
    a transaction. `expect_new` makes new claims cheaper and existing ones more expensive.
    """
    owners = {} if expect_new else _owners(list(wanted))
    free = [movie_id for movie_id in wanted if movie_id not in owners]
    if not free:
        return owners, set()
    moment = now()
    claims = [{"_id": movie_id, "title_hash": wanted[movie_id], "at": moment} for movie_id in free]
    try:
        get_collection(NAME).insert_many(claims, ordered=False)
    except BulkWriteError as error:
        problems = error.details["writeErrors"]
        if any(problem["code"] != DUPLICATE_KEY for problem in problems) or error.details["writeConcernErrors"]:
            raise
        lost = {free[problem["index"]] for problem in problems}  # claimed concurrently
        mine = set(free) - lost
        return owners | {i: wanted[i] for i in mine} | _owners(list(lost)), mine
    return owners | {i: wanted[i] for i in free}, set(free)


def take_all(wanted: Mapping[str, int], session: ClientSession) -> set[str]:
    """Claim film ids, given with their title_hash, for the films that this transaction inserts.

    Returns the ids that belong to other titles.
    """
    claims = get_collection(NAME)
    there = {row["_id"]: row["title_hash"] for row in claims.find({"_id": {"$in": list(wanted)}}, session=session)}
    if free := [movie_id for movie_id in wanted if movie_id not in there]:
        moment = now()
        claims.insert_many([{"_id": i, "title_hash": wanted[i], "at": moment} for i in free], session=session)
    if own := [movie_id for movie_id, title_hash in there.items() if title_hash == wanted[movie_id]]:
        # Always a write, so that it conflicts with a concurrent change of title.
        adopted = {"$inc": {"adopted": 1}, "$set": {"at": now()}}
        claims.update_many({"_id": {"$in": own}}, adopted, session=session)
    return set(there) - set(own)


def hold_all(movie_ids: list[str], session: ClientSession) -> None:
    """Make this transaction conflict with one that deletes the films, because it writes references to them."""
    get_collection(NAME).update_many({"_id": {"$in": movie_ids}}, {"$inc": {"held": 1}}, session=session)


def release_all(movie_ids: list[str], session: ClientSession) -> None:
    """Release the claims of films that this transaction deletes."""
    get_collection(NAME).delete_many({"_id": {"$in": movie_ids}}, session=session)


def move_all(wanted: Mapping[str, int], session: ClientSession) -> None:
    """Move the claims of films whose titles change, given with their new title_hash, within that transaction.

    Raises ValidationFailed while an import may still write one of them under its old title.
    """
    claims = get_collection(NAME)
    lately = {"_id": {"$in": list(wanted)}, "adopted": {"$gt": 0}, "at": {"$gt": now() - LEASE}}
    if claims.find_one(lately, session=session):
        wait = f"{LEASE.total_seconds() / 60:.0f} minutes"
        raise ValidationFailed({"title": f"can't be changed while the film is being imported; try again in {wait}"})
    moment = now()
    moves = [
        UpdateOne({"_id": i}, {"$set": {"title_hash": h, "at": moment}, "$unset": {"adopted": ""}}, upsert=True)
        for i, h in wanted.items()
    ]
    claims.bulk_write(moves, ordered=False, session=session)


@driver_errors()
def sweep() -> int:
    """Remove claims without a film, left by interrupted imports; returns how many.

    Claims younger than LEASE stay: their films may still be written.
    """
    removed = 0
    for batch in _batches({"at": {"$not": {"$gte": now() - LEASE}}}):
        ids = [claim["_id"] for claim in batch]
        films = {film["_id"] for film in get_collection("movies").find({"_id": {"$in": ids}}, {"_id": 1})}
        for claim in batch:
            if claim["_id"] not in films:
                # Only if unchanged: it may have been adopted, moved or replaced in the meantime.
                unchanged = {name: claim.get(name) for name in ("_id", "title_hash", "at", "adopted")}
                removed += get_collection(NAME).delete_one(unchanged).deleted_count
    return removed


def _batches(query: Row) -> Iterator[list[Row]]:
    with get_collection(NAME).find(query) as cursor:
        while batch := list(islice(cursor, SWEEP_BATCH)):
            yield batch


def _owners(ids: list[str]) -> dict[str, int]:
    return {row["_id"]: row["title_hash"] for row in get_collection(NAME).find({"_id": {"$in": ids}})}
