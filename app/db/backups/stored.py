"""The backups in a store: which there are, and whether they are what was written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.db.backups import files, manifest
from app.db.backups.checksums import Sum
from app.db.backups.errors import BackupError, Damaged
from app.db.backups.keys import PrivateKeys
from app.db.backups.manifest import Entry, Manifest
from app.db.backups.stores import Store

LATEST = "latest"
#: How far another clock may be ahead of this one.
AHEAD = timedelta(minutes=5)
CHANGES = "changes-"  # so begin the names of directories with archived changes


@dataclass(frozen=True)
class Stored:
    """A backup: complete if it has a manifest, and all files in their sizes; otherwise `problem` says what is wrong."""

    id: str
    manifest: Manifest | None
    problem: str


def overview(store: Store) -> Iterator[Stored]:
    """All full backups, oldest first, without reading their files. Raises BackupError when the store can't be read."""
    try:
        found = store.backups()
    except OSError as error:
        raise BackupError(f"the backups can't be listed: {error.strerror}") from error
    for backup in found:
        if backup.startswith(CHANGES):
            continue
        try:
            yield Stored(backup, load(store, backup), "")
        except BackupError as error:
            yield Stored(backup, None, str(error))


def find(store: Store, backup: str, before: datetime | None = None) -> Manifest:
    """A complete backup's manifest by id. Raises Damaged, BackupError.

    `latest` is the newest complete one's; with `before`, of those whose moment was over by the end of that second.
    """
    if backup != LATEST:
        return load(store, backup)
    complete = [stored.manifest for stored in overview(store) if stored.manifest is not None]
    if before is not None:
        complete = [found for found in complete if found.cluster_time.time <= before.timestamp()]
    if not complete:
        raise BackupError("there is no complete backup" + (f" of before {before}" if before else ""))
    return max(complete, key=lambda one: one.cluster_time)


def load(store: Store, backup: str) -> Manifest:
    """A backup's manifest, after a look at the files' sizes. Raises Damaged, BackupError.

    One of a moment that is yet to come is damaged, too: it would be `latest` for good, and anybody may have made it.
    """
    found = manifest.read(store, backup)
    if (at := found.cluster_time.as_datetime()) > datetime.now(UTC) + AHEAD:
        raise Damaged(f"{backup} is of {at:%Y-%m-%d %H:%M:%S} UTC, which is yet to come, or this clock is wrong")
    sizes = store.sizes(backup)
    for entry in found.collections:
        if (size := sizes.get(entry.file)) is None:
            raise Damaged(f"{backup}/{entry.file} is missing")
        if size != entry.size:
            raise Damaged(f"{backup}/{entry.file} is damaged: it has {size:,} bytes instead of {entry.size:,}")
    return found


def verify(store: Store, backup: str, keys: PrivateKeys, done: Callable[[Entry], None] = lambda _: None) -> Manifest:
    """Decrypt a backup and check all that its manifest says of documents; `done` is called with each collection.

    Raises WrongKey, Damaged, BackupError.
    """
    found = find(store, backup)
    for entry in found.collections:
        read_documents(store, found, entry, keys, lambda document: None)
        done(entry)
    return found


def read_documents(
    store: Store, found: Manifest, entry: Entry, keys: PrivateKeys, take: Callable[[memoryview], None]
) -> None:
    """Call `take` with each document of a collection, which must not keep it. Raises WrongKey, Damaged, BackupError.

    What is damaged may show only after the last document.
    """
    name = f"{found.id}/{entry.file}"
    read = Sum()

    def count(document: memoryview) -> None:
        read.add(document)
        take(document)

    try:
        with store.reader(found.id, entry.file) as file:
            files.read(file, name, entry.sha256, keys, count)
    except OSError as error:
        raise BackupError(f"{name} can't be read: {error.strerror or error}") from error
    if (read.documents, read.size, read.checksum) != (entry.documents, entry.bytes, entry.checksum):
        raise Damaged(f"{name} holds other documents than the manifest says")
