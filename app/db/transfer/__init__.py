"""Records in files: reading, importing and exporting them, rejects, uploads and the sample catalogue."""

from app.db.transfer import exports, imports, reject_files, sample, stored_rejects, uploads
from app.db.transfer.readers import FileUnreadable
from app.db.transfer.reject_files import RejectsFiles
from app.db.transfer.sample import Sample
from app.db.transfer.stored_rejects import StoredRejects

__all__ = [
    "FileUnreadable",
    "RejectsFiles",
    "Sample",
    "StoredRejects",
    "exports",
    "imports",
    "reject_files",
    "sample",
    "stored_rejects",
    "uploads",
]
