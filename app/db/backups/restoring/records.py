"""Putting back single records from a backup, which is restored beside the live collections: what a mistake removed.

They go the way of imports, so that references, claims, search words and ranking stay right. A record that is there with
other content is a conflict, and left as it is unless told.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bson import json_util
from pymongo.client_session import ClientSession

from app.db.backups.errors import RestoreFailed
from app.db.backups.restoring import marker
from app.db.backups.shapes import RESTORED
from app.db.core import (
    Actor,
    BadQuery,
    Condition,
    DatabaseError,
    Duplicate,
    Row,
    ValidationFailed,
    audit,
    driver_errors,
    fields_of,
    filters,
    get_collection,
    get_database,
    get_model,
    in_transaction,
    version,
)
from app.db.films import posters, ranking
from app.db.records import bulk, documents
from app.db.search import derived

RECORDS = ("movies", "credits", "users", "user_interactions")
# What is restored with a collection, because its records have a part there.
ALONG = {"movies": ["posters"]}
BATCH = 1_000
ACTOR = Actor("", "restore")

PUT_BACK, SAME, CONFLICT, REPLACED, REFUSED = "put back", "unchanged", "conflict", "replaced", "refused"
_LOGICAL = frozenset({"$and", "$or", "$nor"})
_OPERATORS = frozenset(
    {"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$type", "$not", "$all", "$size"}
    | {"$regex", "$options", "$elemMatch"}
)


@dataclass(frozen=True)
class Outcome:
    """What became of a record, or would: one of the words above, and why or in which fields it differs."""

    document_id: Any
    what: str
    detail: str = ""


def collections(collection: str) -> list[str]:
    """The collections to restore for putting back records of one. Raises BadQuery."""
    if collection not in RECORDS:
        raise BadQuery(f"only records of {', '.join(RECORDS)} can be put back, not of {collection!r:.80}")
    return [collection, *ALONG.get(collection, [])]


def query(collection: str, conditions: Sequence[Condition], extended_json: str = "") -> Row:
    """The records that meet all conditions, and a filter in MongoDB's Extended JSON. Raises BadQuery."""
    parts = [filters.query(collection, conditions)] if conditions else []
    if extended_json:
        try:
            found = json_util.loads(extended_json)
        except (ValueError, TypeError) as error:
            raise BadQuery(f"the filter isn't Extended JSON: {error}") from error
        _check(collection, found)
        parts.append(found)
    return {"$and": parts} if parts else {}


def _check(collection: str, found: Any) -> None:
    """Raises BadQuery for an unknown field or operator: a typo would find nothing, or too much."""
    if not isinstance(found, Mapping):
        raise BadQuery('a filter is an object, such as {"release_year": 1999}')
    for name, value in found.items():
        if name in _LOGICAL:
            if not isinstance(value, list) or not value:
                raise BadQuery(f"{name} needs a list of filters")
            for part in value:
                _check(collection, part)
        elif name.startswith("$") or name.partition(".")[0] not in fields_of(get_model(collection)):
            raise BadQuery(f"{collection} have no field {name!r:.80}")
        else:
            _check_value(value)


def _check_value(value: Any) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name.startswith("$") and name not in _OPERATORS:
                raise BadQuery(f"no such operator: {name!r:.80}; there are {', '.join(sorted(_OPERATORS | _LOGICAL))}")
            _check_value(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_value(inner)


@driver_errors()
def put_back(
    collection: str,
    wanted: Row,
    *,
    replace: bool = False,
    dry_run: bool = False,
    report: Callable[[Outcome], None] = lambda _: None,
) -> None:
    """Put the restored records that meet the query back where they are missing; `report` is called with each.

    `replace`: also where they are there with other content. `dry_run`: only report. Removes what was restored when
    it is done. Raises RestoreFailed unless this collection is restored; DatabaseError.
    """
    there = marker.read(RESTORED)
    if there is None or there.step != marker.LOADED or there.whole or collection not in there.collections:
        raise RestoreFailed(f"{collection} alone isn't restored")
    model_changed = False
    for batch in _batches(get_collection(RESTORED + collection).find(wanted)):
        live = {row["_id"]: row for row in get_collection(collection).find({"_id": {"$in": [r["_id"] for r in batch]}})}
        missing = [row for row in batch if row["_id"] not in live]
        model_changed |= bool(missing)
        for outcome in _put(collection, missing, dry_run=dry_run):
            report(outcome)
        for row in batch:
            if row["_id"] in live:
                report(_settle(collection, live[row["_id"]], row, replace=replace and not dry_run))
    if dry_run:
        return
    if collection == "movies" and model_changed:
        ranking.recompute()
    marker.remove(RESTORED)  # first, as in clean_up
    for name in there.collections:
        get_database()[RESTORED + name].drop()


def _batches(rows: Any) -> Iterator[list[Row]]:
    with rows:
        while batch := list(islice(rows, BATCH)):
            yield batch


def _put(collection: str, missing: list[Row], *, dry_run: bool) -> Iterator[Outcome]:
    """Insert records that are missing."""
    if dry_run or not missing:
        yield from (Outcome(row["_id"], PUT_BACK) for row in missing)
        return
    refused: dict[Any, str] = {}
    if collection == "users":  # their names are unique, and imports don't write them
        for row in missing:
            try:
                documents.add(collection, row)
            except DatabaseError as error:
                refused[row["_id"]] = str(error)
    else:
        refused = _load(collection, missing)
    done = [row for row in missing if row["_id"] not in refused]
    if collection == "movies":
        _put_posters(done)
    if done:
        audit.record(ACTOR, "restore", collection, None, None, None, count=len(done))
    for row in missing:
        reason = refused.get(row["_id"])
        yield Outcome(row["_id"], PUT_BACK if reason is None else REFUSED, reason or "")


def _load(collection: str, missing: list[Row]) -> dict[Any, str]:
    """Import records; returns the reasons why some were refused, by id."""
    refused: dict[Any, str] = {}
    load = derived.Load(collection)

    def note(reject: Any) -> None:
        refused[missing[reject.line - 1]["_id"]] = f"{reject.field} {reject.reason}".strip()

    bulk.load(collection, enumerate((dict(row) for row in missing), 1), on_new=load.add, on_reject=note)
    load.take_in()
    there = {
        row["_id"] for row in get_collection(collection).find({"_id": {"$in": [r["_id"] for r in missing]}}, {"_id": 1})
    }
    # The same like or credit may be there under another id.
    return {row["_id"]: "is there under another id" for row in missing if row["_id"] not in there} | refused


def _put_posters(films: list[Row]) -> None:
    ids = [film["_id"] for film in films if "poster" in film]
    for poster in get_collection(RESTORED + posters.NAME).find({"movie_id": {"$in": ids}}) if ids else ():
        posters.put_back(poster)


def _settle(collection: str, live: Row, row: Row, *, replace: bool) -> Outcome:
    """A record that is there: the same, or a conflict, which may be replaced."""
    if version(live) == version(row):
        return Outcome(row["_id"], SAME)
    before, after = audit.difference(collection, live, row)
    differing = ", ".join(sorted(before | after))
    if not replace:
        return Outcome(row["_id"], CONFLICT, differing)

    def work(session: ClientSession) -> None:
        current = documents.find(collection, row["_id"], session)
        documents.change(session, collection, current, row)
        audit.record(ACTOR, "edit", collection, row["_id"], current, row, session=session)

    try:
        in_transaction(work)
    except (ValidationFailed, Duplicate) as error:
        return Outcome(row["_id"], REFUSED, str(error))
    derived.note(collection, live, row)
    return Outcome(row["_id"], REPLACED, differing)
