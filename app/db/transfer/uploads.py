"""Uploaded files to import, stored in the database so that any worker on any host can read them.

They stay in the GridFS bucket `uploads` until their import job has ended, at most for KEEP.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import BinaryIO, cast

from bson import ObjectId
from gridfs import GridFSBucket
from gridfs.errors import NoFile

from app.db.core import NotFound, driver_errors, get_collection, now, time_limit

KEEP = timedelta(days=1)
TIMEOUT_S = 120.0  # for all of a file

_BUCKET = "uploads"


@driver_errors()
def store(stream: BinaryIO, name: str) -> str:
    """Store a file and return its id."""
    with time_limit(TIMEOUT_S):
        return str(_bucket().upload_from_stream(name, stream))


@contextmanager
def opened(upload_id: str) -> Iterator[BinaryIO]:
    """A stored file, open for reading. Raises NotFound when it no longer exists."""
    with driver_errors():
        try:
            stream = _bucket().open_download_stream(ObjectId(upload_id))
        except NoFile as error:
            raise NotFound("the file is no longer stored; upload it again") from error
    with stream:
        yield cast(BinaryIO, stream)


@driver_errors()
def remove(upload_id: str) -> None:
    """Delete a file, if it exists."""
    with suppress(NoFile):
        _bucket().delete(ObjectId(upload_id))


@driver_errors()
def remove_old() -> None:
    """Delete files older than KEEP: a process that dies may leave one without a job."""
    with time_limit(TIMEOUT_S):
        for old in _bucket().find({"uploadDate": {"$lt": now() - KEEP}}):
            remove(str(old._id))


def _bucket() -> GridFSBucket:
    return GridFSBucket(get_collection(_BUCKET).database, bucket_name=_BUCKET)
