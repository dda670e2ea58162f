"""What TLS costs: the same work on two replica sets of three members, one with TLS and one without."""

from __future__ import annotations

import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection

from bench.measure import Figure, milliseconds, time_alternately
from ops.artifacts import mongod_path
from ops.local_cluster import LocalCluster

DOCUMENTS = 20_000
PAGE = 100  # documents, as on a page of films
BATCH = 1_000
TIMES = 200
MOST = 1.15  # times as long as without TLS

Films = Collection[dict[str, Any]]


@dataclass(frozen=True)
class Library:
    """Films, and how to connect to them."""

    films: Films
    uri: str


def measure() -> list[Figure]:
    """Medians, with the two in turns. `ratio` is how many times as fast as without TLS."""
    with _library("requireTLS") as secured, _library(None) as plain:
        return [
            _figure("A new connection and its log-in", _connect, secured, plain, times=20),
            _figure("One film by its key", _one, secured, plain),
            _figure(f"A page of {PAGE} films", _page, secured, plain),
            _figure("A write that a majority has", _write, secured, plain),
            _figure(f"An import's batch of {BATCH:,}", _batch, secured, plain, times=20),
        ]


def _figure(
    what: str, work: Callable[[Library, int], object], secured: Library, plain: Library, *, times: int = TIMES
) -> Figure:
    numbers = itertools.count(DOCUMENTS)
    calls = [lambda library=library: work(library, next(numbers) % DOCUMENTS) for library in (secured, plain)]
    ours, peers = map(statistics.median, time_alternately(calls, times))
    aim = "" if work is _connect else f"at least {1 / MOST:.2f} x"
    return Figure(
        what, milliseconds(ours), milliseconds(peers), peers / ours, aim, ours <= MOST * peers if aim else None
    )


def _connect(library: Library, _: int) -> None:
    client: MongoClient[dict[str, Any]]
    with MongoClient(library.uri) as client:
        client.admin.command("ping")


def _one(library: Library, number: int) -> None:
    library.films.find_one({"_id": number})


def _page(library: Library, number: int) -> list[dict[str, Any]]:
    return list(library.films.find({"_id": {"$gte": number}}).limit(PAGE))


def _write(library: Library, number: int) -> None:
    library.films.update_one({"_id": number}, {"$inc": {"views": 1}})


def _batch(library: Library, _: int) -> None:
    library.films.database["imported"].insert_many([{"plot": "x" * 500} for _ in range(BATCH)])


@contextmanager
def _library(tls: str | None) -> Iterator[Library]:
    with (
        tempfile.TemporaryDirectory(prefix="film-library-bench-") as directory,
        LocalCluster(Path(directory), mongod=mongod_path(), shards=0, members=3, tls=tls) as cluster,
        cluster.client() as client,
    ):
        films = client["bench"].get_collection("films", write_concern=WriteConcern("majority"))
        films.insert_many([{"_id": n, "title": f"Film {n}", "plot": "x" * 500, "views": 0} for n in range(DOCUMENTS)])
        yield Library(films, cluster.uri())
