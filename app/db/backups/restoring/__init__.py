"""Bringing a backup back: beside what there is, compared, then swapped in; or single records of it."""

from app.db.backups.restoring import records
from app.db.backups.restoring.loading import choose, moment, restore
from app.db.backups.restoring.swapping import clean_up, leftovers, planned, planned_undo, swap_in, undo

__all__ = [
    "choose",
    "clean_up",
    "leftovers",
    "moment",
    "planned",
    "planned_undo",
    "records",
    "restore",
    "swap_in",
    "undo",
]
