"""Importing films, beside bare `insert_many` and a loop that saves MongoEngine documents."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from app.db import bulk, imports
from app.db.connection import get_collection
from app.db.models import Movie
from app.db.validation import prepare
from bench import synthetic
from bench.library import library
from bench.measure import Figure

BARE = "bare_films"  # a collection without a validator and any index but `_id`
BATCH = 1_000
LOOP = 3_000  # films that the loop saves: at its rate more would take minutes

Row = dict[str, Any]


def measure(films: int) -> list[Figure]:
    """Films a second, each way into an empty collection: ours with all indexes, claims and validators."""
    with library(0) as empty:
        rows = list(synthetic.films(empty.sample, films))
        documents = [prepare("movies", row) for row in rows]
        bare = _rate(lambda: _insert_many(documents), films, into=BARE)
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "films.jsonl")
            file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
            ours = _rate(lambda: imports.import_file(file), films)
        load = _rate(lambda: bulk.load("movies", enumerate(rows)), films)
        loop = _rate(lambda: _save_each(documents[:LOOP]), LOOP)
    return [
        Figure("import of a JSON lines file, bare insert_many", _a_second(ours), _a_second(bare), ours / bare),
        Figure(
            "validated load, bare insert_many",
            _a_second(load),
            _a_second(bare),
            load / bare,
            ">= 0.5 x",
            load >= bare / 2,
        ),
        Figure(
            "validated load, MongoEngine save() each",
            _a_second(load),
            _a_second(loop),
            load / loop,
            ">= 40 x",
            load >= 40 * loop,
        ),
    ]


def _rate(work: Callable[[], object], films: int, into: str = "movies") -> float:
    for name in (into, "movie_ids"):
        get_collection(name).delete_many({})
    began = time.perf_counter()
    work()
    taken = time.perf_counter() - began
    there = get_collection(into).count_documents({})
    if there != films:
        raise RuntimeError(f"{there} films are in, not {films}")
    return films / taken


def _insert_many(documents: Iterable[Row]) -> None:
    rows = iter(documents)
    while batch := list(islice(rows, BATCH)):
        get_collection(BARE).insert_many(batch, ordered=False)


def _save_each(documents: list[Row]) -> None:
    for row in documents:
        Movie(**{("id" if field == "_id" else field): value for field, value in row.items()}).save(force_insert=True)


def _a_second(rate: float) -> str:
    return f"{rate:,.0f}/s"
