"""Full backups and restores, beside plain loops of `find` and `insert_many` over the same documents."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from app.db import backups
from app.db.backups import Directory, Manifest
from app.db.core import DatabaseConfig, connection
from bench.library import Library
from bench.measure import Figure

BATCH = 1_000
COPY, RESTORED = "bench_copy", "bench_restored"  # databases

Client = MongoClient[RawBSONDocument]


def measure(library: Library) -> list[Figure]:
    """MB of BSON and documents a second of each."""
    before = connection.current_config()
    with (
        tempfile.TemporaryDirectory(prefix="film-library-bench-") as directory,
        MongoClient(library.owner, document_class=RawBSONDocument) as client,
    ):
        key = Path(directory, "key")
        keys = backups.public_keys(backups.make_key(key))
        store = Directory(Path(directory))
        try:
            connection.connect(DatabaseConfig(library.owner, library.database))
            read = _seconds(lambda: _read(client, library.database))
            made, took = _timed(lambda: backups.take(store, keys))
            inserted = _seconds(lambda: _insert(client, library.database))
            connection.connect(DatabaseConfig(library.owner, RESTORED))
            restored = _seconds(lambda: backups.restore(store, made.id, backups.private_keys(key)))
        finally:
            connection.connect(before)
            for name in (COPY, RESTORED):
                client.drop_database(name)
    return [
        _figure("full backup (zstd, age, checksums); find", made, took, read, 0.7),
        _figure("restore (compared, with indexes); insert_many without indexes", made, restored, inserted, 0.5),
    ]


def _timed(work: Callable[[], Manifest]) -> tuple[Manifest, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _read(client: Client, database: str) -> None:
    for name in client[database].list_collection_names():
        for _ in client[database][name].find():
            pass


def _insert(client: Client, database: str) -> None:
    for name in client[database].list_collection_names():
        batch: list[Any] = []
        for document in client[database][name].find():
            batch.append(document)
            if len(batch) == BATCH:
                client[COPY][name].insert_many(batch, ordered=False)
                batch = []
        if batch:
            client[COPY][name].insert_many(batch, ordered=False)


def _figure(what: str, made: Manifest, ours: float, peer: float, aim: float) -> Figure:
    ratio = peer / ours
    return Figure(what, _rate(made, ours), _rate(made, peer), ratio, f">= {aim} x", ratio >= aim)


def _rate(made: Manifest, seconds: float) -> str:
    size = sum(entry.bytes for entry in made.collections)
    return f"{size / seconds / 1e6:,.0f} MB/s, {made.documents / seconds:,.0f}/s"
