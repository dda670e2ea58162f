"""Reading and writing the documents of any collection: one at a time, or many in bulk.

Code that serves every collection belongs here, including what a change to one document does to others.
"""

from app.db.records import bulk, documents, saved_views
from app.db.records.bulk import BATCH
from app.db.records.documents import REFERENCES
from app.db.records.fields import REFERS_TO, Field, describe
from app.db.records.loads import START, Batch, Counts, LoadStopped, Malformed, Numbered, Reject, Settled

__all__ = [
    "BATCH",
    "REFERENCES",
    "REFERS_TO",
    "START",
    "Batch",
    "Counts",
    "Field",
    "LoadStopped",
    "Malformed",
    "Numbered",
    "Reject",
    "Settled",
    "bulk",
    "describe",
    "documents",
    "saved_views",
]
