"""Bringing a backup back: beside what there is, compared, then swapped in."""

from app.db.backups.restoring.loading import restore
from app.db.backups.restoring.swapping import clean_up, leftovers, swap_in

__all__ = ["clean_up", "leftovers", "restore", "swap_in"]
