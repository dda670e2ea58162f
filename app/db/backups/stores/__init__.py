"""Where backups are kept: a directory, or S3."""

from app.db.backups.stores.store import Directory, Store, open_store

__all__ = ["Directory", "Store", "open_store"]
