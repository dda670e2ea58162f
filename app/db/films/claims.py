"""Which film an `_id` belongs to: the proxy collection that keeps `_id` of `movies` unique across shards.

MongoDB checks `_id` on each shard by itself, and a film's shard follows from its title. A claim pins an `_id` to one
title_hash, and so to one shard, before the film is written there; on that shard the `_id` index does the rest.
A claim without a film, left by an interrupted import, serves whoever brings the film with that title next, and is
swept in time.

    {_id: film's, title_hash, at: when claimed or adopted last, adopted: how often taken over without its film}

Two rules make it hold against all that may happen at once. Whoever adopts a claim that was there writes the film in
one transaction with the claim, so that it can't cross a change of title. And a title whose claim was adopted keeps its
shard for LEASE: until then the import that made the claim may still send the film there.
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

    Returns the title_hash that holds each of them now, and which of the claims are new. A film whose claim is new can
    be inserted right away. One whose claim was there already may be the remains of an interrupted import: it goes
    through `records.documents.add`, in a transaction. With `expect_new` those that are not new cost more, and the
    others less.
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
        lost = {free[problem["index"]] for problem in problems}  # somebody else was faster
        mine = set(free) - lost
        return owners | {i: wanted[i] for i in mine} | _owners(list(lost)), mine
    return owners | {i: wanted[i] for i in free}, set(free)


def take_all(wanted: Mapping[str, int], session: ClientSession) -> set[str]:
    """Claim film ids, given with their title_hash, for the films that this transaction inserts.

    Returns those that are other titles' and can't be had.
    """
    claims = get_collection(NAME)
    there = {row["_id"]: row["title_hash"] for row in claims.find({"_id": {"$in": list(wanted)}}, session=session)}
    if free := [movie_id for movie_id in wanted if movie_id not in there]:
        moment = now()
        claims.insert_many([{"_id": i, "title_hash": wanted[i], "at": moment} for i in free], session=session)
    if own := [movie_id for movie_id, title_hash in there.items() if title_hash == wanted[movie_id]]:
        # A change in any case, so that it conflicts with a change of title under way.
        adopted = {"$inc": {"adopted": 1}, "$set": {"at": now()}}
        claims.update_many({"_id": {"$in": own}}, adopted, session=session)
    return set(there) - set(own)


def hold_all(movie_ids: list[str], session: ClientSession) -> None:
    """Make this transaction conflict with one that deletes the films: what is written here will refer to them."""
    get_collection(NAME).update_many({"_id": {"$in": movie_ids}}, {"$inc": {"held": 1}}, session=session)


def release_all(movie_ids: list[str], session: ClientSession) -> None:
    """Give up the claims of films that this transaction deletes."""
    get_collection(NAME).delete_many({"_id": {"$in": movie_ids}}, session=session)


def move_all(wanted: Mapping[str, int], session: ClientSession) -> None:
    """Let claims follow films whose titles change, given with their new title_hash, within that transaction.

    Raises ValidationFailed while an import may still be bringing one of them under its old title.
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
    """Remove the claims that no film has, left by interrupted imports; returns how many there were.

    Younger ones than LEASE stay: their films may be on the way.
    """
    removed = 0
    for batch in _batches({"at": {"$not": {"$gte": now() - LEASE}}}):
        ids = [claim["_id"] for claim in batch]
        films = {film["_id"] for film in get_collection("movies").find({"_id": {"$in": ids}}, {"_id": 1})}
        for claim in batch:
            if claim["_id"] not in films:
                # The whole claim as it was: adopted, moved or made anew meanwhile, it's another one.
                unchanged = {name: claim.get(name) for name in ("_id", "title_hash", "at", "adopted")}
                removed += get_collection(NAME).delete_one(unchanged).deleted_count
    return removed


def _batches(query: Row) -> Iterator[list[Row]]:
    with get_collection(NAME).find(query) as cursor:
        while batch := list(islice(cursor, SWEEP_BATCH)):
            yield batch


def _owners(ids: list[str]) -> dict[str, int]:
    return {row["_id"]: row["title_hash"] for row in get_collection(NAME).find({"_id": {"$in": ids}})}
