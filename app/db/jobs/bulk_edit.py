"""Defining bulk jobs: selecting records, checking changes, and a preview before anything is written."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mongoengine import ListField
from pymongo.errors import PyMongoError

from app.db.core import (
    Actor,
    Administrator,
    BadQuery,
    Condition,
    Row,
    User,
    ValidationFailed,
    converted_id,
    converters,
    driver_errors,
    fields_of,
    filters,
    get_collection,
    get_model,
    list_page,
    prepare,
    public,
    time_limit,
)
from app.db.jobs import queue
from app.db.records import REFERENCES

MAX_SELECTED = 1_000  # records selected one by one; a filter is better for more
SAMPLE = 20  # records that a preview shows
COUNT_LIMIT_S = 5.0  # counting a million takes 0.3 s with an index, 1 to 2 s without


@dataclass(frozen=True)
class Selection:
    """Records by their ids, or all that meet the conditions (no conditions: the entire collection)."""

    ids: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def query(self, collection: str) -> Row:
        """The query that finds them. Raises BadQuery for too many ids, and for an invalid id or condition."""
        if len(self.ids) > MAX_SELECTED:
            raise BadQuery(f"at most {MAX_SELECTED:,} records can be selected one by one; use a filter")
        if self.ids:
            return {"_id": {"$in": sorted({converted_id(collection, document_id) for document_id in self.ids})}}
        return filters.query(collection, self.conditions)


@dataclass(frozen=True)
class Change:
    """One change to a field of every record: `operation` is one of `operations(collection, field)`."""

    field: str
    operation: str
    value: Any = None


@dataclass(frozen=True)
class Previewed:
    """A record, and what the changes do to it: the fields that differ, or the reasons why they can't be made."""

    row: Row
    changed: Row
    errors: dict[str, str]


@dataclass(frozen=True)
class Preview:
    """The number of records (None: too many to count in COUNT_LIMIT_S), and the first ones."""

    count: int | None
    records: list[Previewed]


def editable_fields(collection: str) -> tuple[str, ...]:
    """The fields that can be changed in bulk: none that identify a record or its parent, and none of accounts, whose
    names are unique and whose roles are assigned one by one. Raises BadQuery."""
    model = get_model(collection)
    if model in (User, Administrator):
        return ()
    references = {field for fields in REFERENCES.values() for field in fields.values()}
    return tuple(field for field in fields_of(model) if field not in {"_id", *model.derived, *references})


def operations(collection: str, field: str) -> tuple[str, ...]:
    """The bulk operations on a field. Raises BadQuery if there are none."""
    if field not in editable_fields(collection):
        raise BadQuery(f"{collection} have no field {field!r:.80} that can be changed in bulk")
    declared = fields_of(get_model(collection))[field]
    possible = ("set",) if declared.required else ("set", "unset")
    return (*possible, "add", "remove") if isinstance(declared, ListField) else possible


def checked(collection: str, changes: Sequence[Change]) -> list[Change]:
    """The changes with their values converted to the fields' types.

    Raises BadQuery for no changes, an unknown field or operation; ValidationFailed for a value.
    """
    if not changes:
        raise BadQuery("say what to change")
    done: list[Change] = []
    errors: dict[str, str] = {}
    for change in changes:
        if change.operation not in operations(collection, change.field):
            raise BadQuery(f"{change.field} can't be changed by {change.operation!r:.80}")
        if change.operation == "unset":
            done.append(Change(change.field, "unset"))
            continue
        try:
            value = converters(collection)[change.field](change.value)
        except ValueError as error:
            errors[change.field] = str(error)
            continue
        if value in ("", []):
            errors[change.field] = "is missing; to empty the field, remove its value"
        done.append(Change(change.field, change.operation, value))
    if errors:
        raise ValidationFailed(errors)
    return done


def apply(collection: str, row: Row, changes: Sequence[Change]) -> Row:
    """The document that `checked` changes make of `row`. Raises ValidationFailed when it breaks a rule.

    All fields are checked, but only those named, and fields derived from them, change.
    """
    wanted = dict(row)
    for change in changes:
        wanted[change.field] = _OPERATIONS[change.operation](wanted.get(change.field), change.value)
    prepared = prepare(collection, wanted)
    named = {change.field for change in changes}
    touched = {field: prepared[field] for field in (*named, *get_model(collection).derived) if field in prepared}
    return {field: value for field, value in row.items() if field not in named} | touched


def _add(items: list[str] | None, more: list[str]) -> list[str]:
    return list(dict.fromkeys([*(items or []), *more]))


def _remove(items: list[str] | None, unwanted: list[str]) -> list[str] | None:
    """None for an empty list, so that the field is removed, as by the form for one record."""
    return [item for item in items or [] if item not in unwanted] or None


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "set": lambda _, value: value,
    "unset": lambda _, __: None,
    "add": _add,
    "remove": _remove,
}


@driver_errors()
def preview(collection: str, selection: Selection, changes: Sequence[Change] = ()) -> Preview:
    """Show what the changes (none: a deletion) would do; writes nothing. Raises BadQuery, ValidationFailed, TooSlow."""
    query = selection.query(collection)
    wanted = checked(collection, changes) if changes else []
    records = [_previewed(collection, row, wanted) for row in _sample(collection, selection)]
    return Preview(_count(collection, query), records)


def _sample(collection: str, selection: Selection) -> list[Row]:
    """The first records. Raises TooSlow when no index serves the conditions and it takes too long."""
    if not selection.ids:
        return list_page(collection, conditions=selection.conditions, limit=SAMPLE).rows
    private = dict.fromkeys(get_model(collection).private, 0) or None
    found = get_collection(collection).find(selection.query(collection), private).sort("_id", 1).limit(SAMPLE)
    return [public(row) for row in found]


def _previewed(collection: str, row: Row, changes: Sequence[Change]) -> Previewed:
    try:
        after = apply(collection, row, changes) if changes else row
    except ValidationFailed as error:
        return Previewed(row, {}, error.errors)
    differing = {change.field for change in changes if row.get(change.field) != after.get(change.field)}
    return Previewed(row, {field: after.get(field) for field in differing}, {})


def _count(collection: str, query: Row) -> int | None:
    documents = get_collection(collection)
    try:
        with time_limit(COUNT_LIMIT_S):
            return documents.count_documents(query)
    except PyMongoError as error:
        if not error.timeout:
            raise
        return None


@driver_errors()
def count_dependents(collection: str, selection: Selection) -> dict[str, int] | None:
    """The number of dependents of the selected records, which are deleted with them, by collection; None for more than
    MAX_SELECTED records, where only the deletion itself can tell."""
    references = REFERENCES.get(collection, {})
    if not references:
        return {}
    found = get_collection(collection).find(selection.query(collection), {"_id": 1}).limit(MAX_SELECTED + 1)
    ids = [row["_id"] for row in found]
    if len(ids) > MAX_SELECTED:
        return None
    counts = {
        other: get_collection(other).count_documents({field: {"$in": ids}}) for other, field in references.items()
    }
    return {other: count for other, count in counts.items() if count}


@driver_errors()
def start(
    kind: str,
    collection: str,
    selection: Selection,
    actor: Actor,
    changes: Sequence[Change] = (),
    *,
    confirmed: int | None = None,
) -> str:
    """Queue a bulk "edit" or "delete" and return the job's id.

    A deletion deletes at most the `confirmed` number of records (default: their number now), not others that an import
    adds in the meantime. Raises BadQuery (also for a deletion of more than can be counted, and for administrators),
    ValidationFailed.
    """
    if get_model(collection) is Administrator:
        raise BadQuery("administrators can only be changed and deleted one by one")
    total = _count(collection, selection.query(collection)) if confirmed is None else confirmed
    if kind == "delete" and total is None:
        raise BadQuery("these are too many to count in time; choose fewer with a filter on an indexed field")
    wanted = checked(collection, changes) if kind == "edit" else []
    return queue.create(
        kind,
        collection,
        actor,
        total=total,
        limit=total if kind == "delete" else None,
        ids=list(selection.ids),
        conditions=[asdict(condition) for condition in selection.conditions],
        changes=[asdict(change) for change in wanted],
    )
