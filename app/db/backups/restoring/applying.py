"""The changes since a backup's moment, applied to its loaded collections."""

from collections.abc import Callable, Collection

from app.db.backups import shapes
from app.db.backups.changes import Cover, replay
from app.db.backups.manifest import UNFINISHED
from app.db.backups.restoring import marker


def apply(
    cover: Cover, prefix: str, only: Collection[str] | None, done: Callable[[int], None] = lambda _: None
) -> None:
    """Apply changes to the collections with a prefix, to `only` some if given; may be interrupted and called again.

    `done` is called with numbers of changes. Collections that came after the backup become part of the restore. Raises
    RestoreFailed, Damaged, WrongKey, BackupError; the driver's errors.
    """

    def target(name: str) -> str | None:
        return prefix + name if only is None or name in only else None

    replay(cover, marker.collection(prefix), marker.APPLYING, target, done)
    if only is None:
        marker.extend(prefix, set(shapes.read(prefix)) - {UNFINISHED})
