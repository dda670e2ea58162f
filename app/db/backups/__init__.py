"""Full backups: taken of one moment, encrypted before they leave the process, verified, listed and restored.

A backup is a directory of a `Store`: a file for each collection (BSON, zstd, age), and the manifest, which comes last.
Beside it, the changes between full backups are archived, so that a restore can go to any second.
"""

from app.db.backups import retention, status
from app.db.backups.access import Access, differences
from app.db.backups.access import parse as parse_access
from app.db.backups.archiving import SLICE_SECONDS, State, archive
from app.db.backups.changes import END, activity, cover, intact, restorable
from app.db.backups.changes import verify as verify_changes
from app.db.backups.errors import BackupError, BackupFailed, Damaged, RestoreFailed, WrongKey
from app.db.backups.full import WORKERS, Pace, take
from app.db.backups.keys import make as make_key
from app.db.backups.keys import private_keys, public_keys
from app.db.backups.manifest import Entry, Manifest
from app.db.backups.restoring import (
    choose,
    clean_up,
    leftovers,
    moment,
    planned,
    planned_undo,
    records,
    restore,
    swap_in,
    undo,
)
from app.db.backups.shapes import RESTORED, is_aside
from app.db.backups.stored import AHEAD, LATEST, Stored, find, overview, verify
from app.db.backups.stores import Directory, Store, open_store

__all__ = [
    "AHEAD",
    "END",
    "LATEST",
    "RESTORED",
    "SLICE_SECONDS",
    "WORKERS",
    "Access",
    "BackupError",
    "BackupFailed",
    "Damaged",
    "Directory",
    "Entry",
    "Manifest",
    "Pace",
    "RestoreFailed",
    "State",
    "Store",
    "Stored",
    "WrongKey",
    "activity",
    "archive",
    "choose",
    "clean_up",
    "cover",
    "differences",
    "find",
    "intact",
    "is_aside",
    "leftovers",
    "make_key",
    "moment",
    "open_store",
    "overview",
    "parse_access",
    "planned",
    "planned_undo",
    "private_keys",
    "public_keys",
    "records",
    "restorable",
    "restore",
    "retention",
    "status",
    "swap_in",
    "take",
    "undo",
    "verify",
    "verify_changes",
]
