"""What the database must have: the validators and indexes that the models declare, and the other collections' own."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pymongo import IndexModel

from app.db import (
    audit,
    claims,
    jobs,
    kept_rejects,
    neighbours,
    person_directory,
    posters,
    rate_limit,
    search_misses,
    search_words,
    sessions,
    users,
    validators,
)
from app.db.connection import create_collections, driver_errors, get_collection, time_limit
from app.db.errors import DatabaseError
from app.db.models import COLLECTIONS

INDEX_TIMEOUT_S = 600.0

# Written in transactions and without indexes of their own, which would bring them into being.
_PLAIN = (claims.NAME, users.LOCKS)
# Earlier releases' indexes with what took their place, which serves all that they did. To be dropped once it is there.
_REPLACED = {"movies": {"genres_1": "genres_1_ranking_score_-1__id_-1"}}
_EXPIRED = {"expireAfterSeconds": 0}  # MongoDB deletes a document when the time in the field has come


def _declared() -> dict[str, list[IndexModel]]:
    indexes = {
        name: [IndexModel(spec["fields"], unique=spec.get("unique", False)) for spec in model._meta["index_specs"]]
        for name, model in COLLECTIONS.items()
    }
    for kind in sessions.KINDS.values():
        indexes[kind.collection] = [IndexModel("expires_at", **_EXPIRED), IndexModel("user_id")]
    for name in (rate_limit.COUNTERS, rate_limit.WINDOWS):
        indexes[name] = [IndexModel("expireAt", **_EXPIRED)]
    for module in (audit, jobs, kept_rejects, search_words, person_directory, neighbours, posters):
        indexes |= module.INDEXES
    indexes["saved_views"] = [IndexModel([("collection", 1), ("name", 1)])]
    indexes[search_misses.NAME] = list(search_misses.INDEXES)
    return indexes


@driver_errors()
def missing_indexes() -> dict[str, list[IndexModel]]:
    """The declared indexes that don't exist, by collection."""
    missing = {}
    for name, indexes in _declared().items():
        there = get_collection(name).index_information()
        if absent := [index for index in indexes if index.document["name"] not in there]:
            missing[name] = absent
    return missing


@driver_errors()
def create_indexes() -> list[str]:
    """Make the missing indexes; returns their names as "collection.index", none when all were there."""
    made = []
    create_collections(_PLAIN)
    with time_limit(INDEX_TIMEOUT_S):
        for name, indexes in missing_indexes().items():
            made += [f"{name}.{index}" for index in get_collection(name).create_indexes(indexes)]
    return made


@driver_errors()
def drop_replaced_indexes() -> list[str]:
    """Drop the indexes that better ones replaced, which cost writes and memory; returns "collection.index" each."""
    dropped = []
    for name, replaced in _REPLACED.items():
        there = get_collection(name).index_information()
        for index in [old for old, new in replaced.items() if old in there and new in there]:
            get_collection(name).drop_index(index)
            dropped.append(f"{name}.{index}")
    return dropped


def install_validators() -> list[str]:
    """Put the models' rules in force in mongod; returns the collections that it changed, none when all were in step."""
    return validators.install()


@contextmanager
def deferred_indexes(name: str) -> Iterator[None]:
    """For a bulk load: if collection `name` is empty, its indexes that aren't unique are made after the load.

    Measured with 234,000 credits: keeping the name index up to date while loading costs mongod 2.9 s of processor time,
    building it afterwards 0.6 s, and on a replica set every member pays. At the end all indexes are there, after an
    error too.
    """
    create_indexes()
    with driver_errors():
        if get_collection(name).find_one({}, {"_id": 1}) is None:
            for index in _declared()[name]:
                if not index.document["unique"]:
                    get_collection(name).drop_index(index.document["name"])
    try:
        yield
    except BaseException:
        with suppress(DatabaseError):  # the load's own error says more
            create_indexes()
        raise
    create_indexes()
