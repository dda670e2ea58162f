"""What was restored beside the live collections takes their place; they are kept, as `replaced.*`.

MongoDB renames collections one by one, so the apps must be stopped meanwhile. Every step looks at what there is:
interrupted anywhere, it can be run again.
"""

from collections.abc import Callable, Iterable

from app.db.accounts import sessions
from app.db.backups import shapes
from app.db.backups.errors import RestoreFailed
from app.db.backups.manifest import UNFINISHED
from app.db.backups.restoring import marker
from app.db.backups.shapes import REPLACED, RESTORED
from app.db.core import driver_errors, get_database, time_limit

# Of one rename or drop: for large collections, the servers wait until all of their members are ready.
STEP_TIMEOUT_S = 300.0


@driver_errors()
def swap_in(done: Callable[[str], None] = lambda _: None) -> str:
    """Put what was restored in the place of what is there; returns the backup's id. `done` is called with each name.

    Collections that the backup doesn't have are moved away, too; empty ones stay, as a later release may need them.
    In a new library, empty ones that the backup has are removed. Nobody stays logged in: sessions that have been ended
    since the backup would be valid again. Raises RestoreFailed when nothing is restored, or not all; DatabaseError.
    """
    restored = _ready()
    if restored.step == marker.SWAPPED:
        return restored.backup
    marker.advance(RESTORED, marker.SWAPPING)
    _end_sessions(set(_names()))
    for name in _live():
        if name not in restored.collections and _has_documents(name):
            _move_away(name)
            done(name)
    for name in restored.collections:
        if RESTORED + name in _names():
            if restored.new_library and not _has_documents(name):
                _drop(name)
            elif name in _names():
                _move_away(name)
            _rename(RESTORED + name, name)
        done(name)
    if restored.new_library:
        marker.advance(RESTORED, marker.SWAPPED)
        return restored.backup
    if restored.undo:
        marker.remove(REPLACED)  # so that whoever repeats an undo doesn't undo that
    else:
        marker.note_swap(restored.backup)
    marker.remove(RESTORED)
    return restored.backup


@driver_errors()
def undo(done: Callable[[str], None] = lambda _: None) -> str:
    """Put back what the last restore has replaced; returns what that is, in words. `done` is called with each name.

    What there is now is kept as `replaced.*`. Nobody stays logged in. Raises RestoreFailed when there is nothing to
    undo, or not all of it; DatabaseError.
    """
    under_way = marker.read(RESTORED)
    if not _is_swapped_back(under_way):
        swap = _undoable(under_way)
        if under_way is None:
            marker.begin_undo(swap)
        for name, kept in swap.moved.items():
            if kept in _names():
                _rename(kept, RESTORED + name)
        marker.advance(RESTORED, marker.SWAPPING)
    return swap_in(done)


@driver_errors()
def planned_undo() -> dict[str, tuple[int, int]]:
    """What `undo` would do: by collection, the estimated numbers of documents now and afterwards.

    Raises RestoreFailed as it does; DatabaseError.
    """
    under_way = marker.read(RESTORED)
    if _is_swapped_back(under_way):
        return planned()
    swap, there = _undoable(under_way), _names()

    def count(*names: str) -> int:
        return sum(get_database()[name].estimated_document_count() for name in names if name in there)

    return {
        name: (count(name), count(RESTORED + name, swap.moved[name]) if name in swap.moved else 0)
        for name in sorted({*_live(), *swap.moved})
    }


def _is_swapped_back(under_way: marker.Marker | None) -> bool:
    return under_way is not None and under_way.undo and under_way.step == marker.SWAPPING


def _undoable(under_way: marker.Marker | None) -> marker.Swap:
    """Raises RestoreFailed unless all that the last restore has replaced is there, and nothing that passes for it."""
    if under_way is not None and not under_way.undo:
        raise RestoreFailed(f"a restore of {under_way.backup} is under way: complete it, or {marker.give_up(RESTORED)}")
    swap, there = marker.last_swap(), _names()
    if swap is None:
        raise RestoreFailed("no restore has replaced anything that is still there, or it was undone already")
    if under_way is None and (left := sorted(name for name in there if name.startswith(RESTORED))):
        # Nobody has compared these: they must not be taken for what was moved back.
        raise RestoreFailed(f"{', '.join(left)}: a restore was given up: {marker.give_up(RESTORED)}")
    found = {name: {kept, RESTORED + name} & there for name, kept in swap.moved.items()}
    if missing := [swap.moved[name] for name, names in found.items() if not names]:
        raise RestoreFailed(f"of what {swap.backup} has replaced, {', '.join(missing)} is missing")
    if twice := [" and ".join(sorted(names)) for names in found.values() if len(names) > 1]:
        raise RestoreFailed(f"only one of each may be there: {', '.join(twice)}; somebody has made the other")
    return swap


@driver_errors()
def planned() -> dict[str, tuple[int, int]]:
    """What `swap_in` would do: by collection, the estimated numbers of documents now and afterwards.

    Raises RestoreFailed as it does; DatabaseError.
    """
    restored, there = _ready(), _names()

    def count(name: str) -> int:
        return get_database()[name].estimated_document_count() if name in there else 0

    def then(name: str) -> int:
        in_place = name in restored.collections and RESTORED + name not in there
        return count(name if in_place else RESTORED + name)

    return {name: (count(name), then(name)) for name in sorted({*_live(), *restored.collections})}


def _ready() -> marker.Marker:
    """Raises RestoreFailed unless a whole backup is restored beside the live collections, or in their place."""
    restored = marker.read(RESTORED)
    if restored is None:
        raise RestoreFailed(f"nothing is restored beside the collections of {get_database().name}")
    if restored.step == marker.TAKING_BACK:
        raise RestoreFailed("a restore is being undone: complete that first (restore-undo)")
    if restored.step not in (marker.LOADED, marker.SWAPPING, marker.SWAPPED):
        raise RestoreFailed(f"the restore of {restored.backup} is unfinished: run it again")
    if not restored.whole:
        raise RestoreFailed(f"only {', '.join(restored.collections)} of {restored.backup} is restored")
    there = _names()
    in_place = set() if restored.step == marker.LOADED else there
    missing = [name for name in restored.collections if RESTORED + name not in there and name not in in_place]
    if missing and restored.step != marker.SWAPPED:
        raise RestoreFailed(
            f"of the restored {restored.backup}, {', '.join(missing)} is missing: {marker.give_up(RESTORED)}, "
            "and restore it again"
        )
    return restored


def _names() -> set[str]:
    return set(get_database().list_collection_names())


def _live() -> Iterable[str]:
    return sorted(name for name in _names() if not shapes.is_aside(name) and not name.startswith("system."))


def _has_documents(name: str) -> bool:
    return get_database()[name].find_one({}, {"_id": 1}) is not None


def _end_sessions(there: set[str]) -> None:
    for kind in sessions.KINDS.values():
        if (name := RESTORED + kind.collection) in there:
            with time_limit(STEP_TIMEOUT_S):
                get_database()[name].delete_many({})


def _move_away(name: str) -> None:
    """Under a name that isn't taken: what an earlier restore replaced stays, too."""
    there, number = _names(), 1
    while (kept := REPLACED + name + (f".{number}" if number > 1 else "")) in there:
        number += 1
    marker.note_moved(name, kept)
    _rename(name, kept)


def _rename(name: str, new: str) -> None:
    database = get_database()
    with time_limit(STEP_TIMEOUT_S):
        database.client.admin.command("renameCollection", f"{database.name}.{name}", to=f"{database.name}.{new}")


def _drop(name: str) -> None:
    with time_limit(STEP_TIMEOUT_S):
        get_database()[name].drop()


@driver_errors()
def leftovers() -> dict[str, int]:
    """What `clean_up` removes, with estimated numbers of documents: what is restored, otherwise what was replaced.

    So whoever gives up a restore keeps what an earlier one has replaced.
    """
    database, there = get_database(), sorted(_names())
    restored = [name for name in there if name.startswith(RESTORED)]
    aside = restored or [name for name in there if name.startswith(REPLACED) and name != REPLACED + UNFINISHED]
    return {name: database[name].estimated_document_count() for name in aside}


@driver_errors()
def clean_up(done: Callable[[str], None] = lambda _: None) -> None:
    """Remove the `leftovers`; `done` is called with each.

    Raises RestoreFailed while they are being swapped in; DatabaseError.
    """
    if marker.is_swapping():
        raise RestoreFailed("a backup is being put in place, or a restore undone: complete that first")
    names = leftovers()
    if not any(name.startswith(RESTORED) for name in names):
        marker.remove(REPLACED)
    marker.remove(RESTORED)  # first: from now on nobody takes what is left for restored
    for name in names:
        _drop(name)
        done(name)
