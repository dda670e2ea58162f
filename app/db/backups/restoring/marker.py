"""What a restore leaves in the database until it is complete: of which backup it is, and how far it has come."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from app.db.backups import shapes
from app.db.backups.errors import RestoreFailed
from app.db.backups.manifest import UNFINISHED
from app.db.core import Row, get_database, now

# The steps, in their order. APPLYING: the changes since the backup's moment; LOADED: all is there and compared;
# SWAPPED: a new library's restore is in place, until `clean_up`. An undo begins with TAKING_BACK, then comes SWAPPING.
LOADING, APPLYING, LOADED, SWAPPING, SWAPPED = "loading", "applying", "loaded", "swapping", "swapped"
TAKING_BACK = "taking back"
_ID = {"_id": "restore"}
_SYSTEM = ("admin", "config", "local")


@dataclass(frozen=True)
class Marker:
    """`at` is the moment to restore, as the caller gave it; `whole` means all of the backup's collections.

    `new_library`: it is for a new library, and swapped in without a question. `undo`: it isn't a backup, but what a
    restore has replaced.
    """

    backup: str
    at: datetime | str | None
    step: str
    collections: list[str]
    whole: bool
    new_library: bool = False
    undo: bool = False


@dataclass(frozen=True)
class Swap:
    """What the last complete restore has replaced, and when: by name, the collections that are kept of it."""

    backup: str
    at: datetime
    moved: dict[str, str]


def collection(prefix: str) -> Collection[Row]:
    """The collection that holds the marker, and nothing else."""
    return get_database()[prefix + UNFINISHED]


def read(prefix: str) -> Marker | None:
    """The marker of the restore that is under way."""
    row = collection(prefix).find_one(_ID)
    if row is None:
        return None
    flags = row.get("new_library", False), row.get("undo", False)
    return Marker(row["backup"], row.get("at"), row["step"], row["collections"], row["whole"], *flags)


def is_swapping() -> bool:
    """Whether some of the live collections may be those of before, and others the restored ones."""
    under_way = read(shapes.RESTORED)
    return under_way is not None and under_way.step in (SWAPPING, TAKING_BACK)


def claim(prefix: str, wanted: Marker) -> Marker:
    """Begin a restore, or go on with the same one; returns where it is.

    Raises RestoreFailed when another one is under way, or there are documents that none has left.
    """
    database = get_database()
    if database.name in _SYSTEM:
        raise RestoreFailed(f"the database {database.name} is MongoDB's own")
    under_way = read(prefix)
    if under_way is not None and under_way.step == SWAPPED and not wanted.new_library:
        remove(prefix)  # it is complete; only whoever has built the new cluster goes on after it
        under_way = None
    if under_way is None:
        _refuse_documents(prefix, shapes.read(prefix))
        try:
            collection(prefix).insert_one(_ID | asdict(wanted))
        except DuplicateKeyError as error:
            raise RestoreFailed(f"another restore into {database.name} began at the same time") from error
        return wanted
    # A restore that asks goes on with one that doesn't, and never the other way round.
    if _comparable(under_way) != _comparable(wanted) or (wanted.new_library and not under_way.new_library):
        what = under_way.backup + ("" if under_way.at is None else f" at {under_way.at}")
        what += "" if under_way.whole else f" ({', '.join(under_way.collections)} alone)"
        raise RestoreFailed(
            f"in the database {database.name} a restore of {what} is unfinished: complete that one, or "
            + give_up(prefix)
        )
    return under_way


def give_up(prefix: str) -> str:
    """What to do, in words, when a restore that is under way isn't to be completed."""
    return "remove what there is of it (restore-cleanup)" if prefix else "restore into another database (--into)"


def _comparable(marker: Marker) -> tuple[object, ...]:
    return marker.backup, marker.at, None if marker.whole else marker.collections


def _refuse_documents(prefix: str, names: Iterable[str]) -> None:
    database = get_database()
    for name in names:
        if database[prefix + name].find_one({}, {"_id": 1}) is not None:
            raise RestoreFailed(
                f"the database {database.name} holds documents ({prefix}{name}), and nothing is ever replaced: "
                + ("remove them (restore-cleanup)" if prefix else "restore into another one (--into), or --beside")
            )


def advance(prefix: str, step: str) -> None:
    """Note that the restore has come to a step."""
    collection(prefix).update_one(_ID, {"$set": {"step": step}})


def extend(prefix: str, names: Iterable[str]) -> None:
    """Note collections that belong to what is restored, though the backup hasn't got them."""
    collection(prefix).update_one(_ID, {"$addToSet": {"collections": {"$each": sorted(names)}}})


def note_moved(name: str, kept: str) -> None:
    """Note as which collection one is kept that is about to be replaced."""
    collection(shapes.RESTORED).update_one(_ID, {"$addToSet": {"moved": [name, kept]}})


def note_swap(backup: str) -> None:
    """Keep what was noted as moved, for an undo, until the next restore."""
    moved = (collection(shapes.RESTORED).find_one(_ID) or {}).get("moved")
    if moved:
        collection(shapes.REPLACED).replace_one(_ID, {"backup": backup, "at": now(), "moved": moved}, upsert=True)
    else:
        remove(shapes.REPLACED)


def last_swap() -> Swap | None:
    """What can be undone."""
    row = collection(shapes.REPLACED).find_one(_ID)
    return None if row is None else Swap(row["backup"], row["at"], dict(row["moved"]))


def begin_undo(swap: Swap) -> None:
    """Raises RestoreFailed when a restore has begun at the same time."""
    what = f"what was there until {swap.at:%Y-%m-%d %H:%M:%S} UTC"
    try:
        collection(shapes.RESTORED).insert_one(
            _ID | asdict(Marker(what, None, TAKING_BACK, sorted(swap.moved), whole=True, undo=True))
        )
    except DuplicateKeyError as error:
        raise RestoreFailed(f"another restore into {get_database().name} began at the same time") from error


def remove(prefix: str) -> None:
    """The restore is complete, or given up."""
    collection(prefix).drop()
