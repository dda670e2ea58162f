"""Importing films, beside bare `insert_many` and a loop that saves MongoEngine documents."""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from app.db.core import Movie, get_collection, prepare
from app.db.records import bulk
from app.db.schema import deferred_indexes
from app.db.transfer import imports
from bench import synthetic
from bench.library import library
from bench.measure import Figure

BARE = "bare_films"  # a collection without a validator and without indexes except `_id`
BATCH = 1_000
LOOP = 3_000  # films that the loop saves; more would take minutes

Row = dict[str, Any]


def measure(films: int) -> list[Figure]:
    """Films per second of each way to load an empty collection."""
    with library(0) as empty:
        rows = list(synthetic.films(empty.sample, films))
        documents = [prepare("movies", row) for row in rows]
        gc.freeze()  # an import holds only a few batches; all these rows would slow down the garbage collector
        bare = _rate(lambda: _insert_many(documents, BARE), films, into=BARE)
        with deferred_indexes("movies"):
            load = _rate(lambda: bulk.load("movies", enumerate(rows)), films)
        whole = _import_rate(rows)
        indexed = _rate(lambda: _insert_many(documents, "movies"), films)
        loop = _rate(lambda: _save_each(documents[:LOOP]), LOOP)
    return [
        _figure("validated load, bare insert_many", load, bare, 0.5),
        _figure("validated load, MongoEngine save() each", load, loop, 40),
        _figure("whole import (reading, indexes, ranking); bare insert_many", whole, bare),
        _figure("whole import; insert_many with the same validator and indexes", whole, indexed),
    ]


def _figure(what: str, ours: float, peer: float, aim: float | None = None) -> Figure:
    ratio = ours / peer
    words = "" if aim is None else f">= {aim} x"
    return Figure(what, _a_second(ours), _a_second(peer), ratio, words, None if aim is None else ratio >= aim)


def _import_rate(rows: list[Row]) -> float:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "films.jsonl")
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        return _rate(lambda: imports.import_file(file), len(rows))


def _rate(work: Callable[[], object], films: int, into: str = "movies") -> float:
    for name in (into, "movie_ids"):
        get_collection(name).delete_many({})
    began = time.perf_counter()
    work()
    taken = time.perf_counter() - began
    there = get_collection(into).count_documents({})
    if there != films:
        raise RuntimeError(f"{there} films were loaded, not {films}")
    return films / taken


def _insert_many(documents: Iterable[Row], into: str) -> None:
    rows = iter(documents)
    while batch := list(islice(rows, BATCH)):
        get_collection(into).insert_many(batch, ordered=False)


def _save_each(documents: list[Row]) -> None:
    for row in documents:
        Movie(**{("id" if field == "_id" else field): value for field, value in row.items()}).save(force_insert=True)


def _a_second(rate: float) -> str:
    return f"{rate:,.0f}/s"
