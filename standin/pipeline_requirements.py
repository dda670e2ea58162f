"""Every namespace that an aggregation pipeline touches, at any depth, and what it does there.

Only the stages named here are let through: an internal stage ($_internal..., $mergeCursors), sent on by the
servers' trusted internal user, would get past their own checks.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from standin.errors import CommandError
from standin.privileges import Need

# Stages that read and write nothing but the documents that flow through them.
PURE_STAGES = frozenset(
    {
        "$addFields",
        "$bucket",
        "$bucketAuto",
        "$count",
        "$densify",
        "$fill",
        "$geoNear",
        "$group",
        "$limit",
        "$match",
        "$project",
        "$redact",
        "$replaceRoot",
        "$replaceWith",
        "$sample",
        "$set",
        "$setWindowFields",
        "$skip",
        "$sort",
        "$sortByCount",
        "$unset",
        "$unwind",
    }
)
# First stages that read something else than documents, and the action for it.
STATISTICS_STAGES = {"$collStats": "collStats", "$indexStats": "indexStats"}


def pipeline_needs(database: str, collection: str, pipeline: Sequence[Mapping[str, Any]]) -> list[Need]:
    """Raises CommandError for a stage that the stand-in doesn't know."""
    first = next(iter(pipeline[0]), "") if pipeline else ""
    needs = [Need(STATISTICS_STAGES.get(first, "find"), database, collection)]
    for stage, argument in _stages(pipeline):
        if stage in ("$out", "$merge"):
            target_database, target = _write_target(database, argument)
            needs.append(Need("insert", target_database, target))
            needs.append(Need("remove" if stage == "$out" else "update", target_database, target))
    needs += [Need("find", database, name) for name in sorted(collections_read(database, pipeline))]
    return needs


def collections_read(database: str, pipeline: Sequence[Mapping[str, Any]]) -> set[str]:
    """The collections, all of `database`, that the pipeline's stages read besides the one it starts from."""
    found = set()
    for stage, argument in _stages(pipeline):
        if stage in ("$lookup", "$graphLookup") and "from" in argument:
            found.add(_same_database(database, stage, argument["from"]))
        elif stage == "$unionWith":
            source = argument if isinstance(argument, str) else argument.get("coll")
            if source is not None:
                found.add(_same_database(database, stage, source))
    return found


def _same_database(database: str, stage: str, source: Any) -> str:
    if not isinstance(source, str) or not source:
        raise CommandError(9, "FailedToParse", f"{stage} can read only collections of database {database}")
    return source


def _write_target(database: str, argument: Any) -> tuple[str, str]:
    target = argument.get("into", argument) if isinstance(argument, Mapping) else argument
    if isinstance(target, str):
        return database, target
    return str(target.get("db", database)), str(target["coll"])


def _stages(pipeline: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """All stages of a pipeline and of those inside it."""
    for position in pipeline:
        if not isinstance(position, Mapping) or len(position) != 1:
            raise CommandError(
                40323, "Location40323", "A pipeline stage specification object must contain exactly one field."
            )
        ((stage, argument),) = position.items()
        yield stage, argument
        if stage in ("$lookup", "$unionWith") and isinstance(argument, Mapping):
            yield from _stages(argument.get("pipeline", []))
        elif stage == "$facet":
            for inner in argument.values():
                yield from _stages(inner)
        elif (
            stage not in PURE_STAGES
            and stage not in STATISTICS_STAGES
            and stage not in ("$lookup", "$graphLookup", "$unionWith", "$out", "$merge", "$documents")
        ):
            raise CommandError(
                40324,
                "Location40324",
                f"Unrecognized pipeline stage name: '{stage}' (of those that the mongos stand-in passes on)",
            )
