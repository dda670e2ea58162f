"""Archives changes between full backups, as they happen."""

from app.db.backups.archiving.archiver import SLICE_SECONDS, State, archive

__all__ = ["SLICE_SECONDS", "State", "archive"]
