"""Archived changes between full backups: which there are, whether they are whole, and how they are applied.

A chain is a directory of the store with numbered slices that have no gap between them. A full backup that was made
while a chain was being written can be restored to every second from then to the chain's end.
"""

from app.db.backups.changes.activity import activity
from app.db.backups.changes.cover import END, Cover, cover, intact, restorable, verify
from app.db.backups.changes.replay import replay

__all__ = ["END", "Cover", "activity", "cover", "intact", "replay", "restorable", "verify"]
