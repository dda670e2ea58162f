"""The indexes of the database: those that the models declare, and those of other collections."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from pymongo import IndexModel

from app.db.accounts import administrators, rate_limit, sessions
from app.db.core import (
    COLLECTIONS,
    DatabaseError,
    audit,
    create_collections,
    declaration,
    driver_errors,
    get_collection,
    time_limit,
)
from app.db.films import claims, person_directory, posters
from app.db.likes import neighbour_lists
from app.db.search import failed_searches, word_counts

INDEX_TIMEOUT_S = 600.0

# Written in transactions, which can't create them, and without indexes, which would.
_PLAIN = (claims.NAME, administrators.LOCKS)
# Earlier releases' indexes and what has replaced them; dropped once that exists.
_REPLACED = {
    "movies": {"genres_1": "genres_1_ranking_score_-1__id_-1"},
    "users": {"admin_status_1__id_1": "username_1__id_1"},  # administrators are in a collection of their own
}
_EXPIRED = {"expireAfterSeconds": 0}  # MongoDB deletes a document at the time in the field

# As GridFS wants them, which would create them itself at the first upload.
_OF_UPLOADS = {
    "uploads.files": [IndexModel([("filename", 1), ("uploadDate", 1)])],
    "uploads.chunks": [IndexModel([("files_id", 1), ("n", 1)], unique=True)],
}
KEEP_REJECTS = timedelta(days=7)  # time to correct them
# Declared here, not next to their queries: `jobs` and `transfer` are layers above this one, as imports create indexes.
_OF_JOBS = {
    "jobs": [
        IndexModel([("state", 1), ("lease_until", 1)]),
        IndexModel([("created_at", 1), ("_id", 1)]),
        IndexModel("created_at", expireAfterSeconds=int(audit.KEEP_LOG.total_seconds())),
    ],
    "import_rejects": [
        IndexModel([("job", 1), ("n", 1)], unique=True),
        IndexModel("at", expireAfterSeconds=int(KEEP_REJECTS.total_seconds())),
    ],
}


def _declared() -> dict[str, list[IndexModel]]:
    indexes = {
        name: [IndexModel(index.keys, unique=index.unique) for index in declaration(model).indexes]
        for name, model in COLLECTIONS.items()
    }
    for kind in sessions.KINDS.values():
        indexes[kind.collection] = [IndexModel("expires_at", **_EXPIRED), IndexModel("user_id")]
    for name in rate_limit.COUNTERS.values():
        indexes[name] = [IndexModel("expireAt", **_EXPIRED)]
    for module in (audit, word_counts, person_directory, neighbour_lists, posters):
        indexes |= module.INDEXES
    indexes |= _OF_JOBS | _OF_UPLOADS
    indexes["saved_views"] = [IndexModel([("collection", 1), ("name", 1)])]
    indexes[failed_searches.NAME] = list(failed_searches.INDEXES)
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
    """Create missing indexes; returns their names as "collection.index"."""
    made = []
    create_collections(_PLAIN)
    with time_limit(INDEX_TIMEOUT_S):
        for name, indexes in missing_indexes().items():
            # By default every member must be ready, so one that is away would keep the others waiting.
            built = get_collection(name).create_indexes(indexes, commitQuorum="majority")
            made += [f"{name}.{index}" for index in built]
    return made


@driver_errors()
def drop_replaced_indexes() -> list[str]:
    """Drop replaced indexes, which cost writes and memory; returns their names as "collection.index"."""
    dropped = []
    for name, replaced in _REPLACED.items():
        there = get_collection(name).index_information()
        for index in [old for old, new in replaced.items() if old in there and new in there]:
            get_collection(name).drop_index(index)
            dropped.append(f"{name}.{index}")
    return dropped


@contextmanager
def deferred_indexes(*names: str) -> Iterator[None]:
    """For a bulk load: build the non-unique indexes of empty collections after the load.

    With 234,000 credits, maintaining the name index during the load costs mongod 2.9 s of CPU time and building it
    afterwards 0.6 s, on each member of a replica set. At the end all indexes exist, also after an error.
    """
    create_indexes()
    with driver_errors():
        for name in names:
            if get_collection(name).find_one({}, {"_id": 1}) is None:
                for index in _declared()[name]:
                    if not index.document.get("unique"):
                        get_collection(name).drop_index(index.document["name"])
    try:
        yield
    except BaseException:
        with suppress(DatabaseError):  # the load's own error says more
            create_indexes()
        raise
    create_indexes()
