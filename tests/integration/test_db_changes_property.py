"""Random writes of all kinds while changes are archived and a backup is made: a restore to a random second is exact.

Two things say what must be there: a snapshot of that second, read from the servers, has every byte, and a model has
what was acknowledged by then.
"""

from __future__ import annotations

import os
import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from archiver import Archiver
from backup_library import FILMS, LIBRARY, contents, fill, new_key, succeed_beside
from bson import Timestamp
from bulk_jobs import ADA, run
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from writers import Writer, at_work, go_on

from app.db.films import Picture, posters
from app.db.jobs import Change, Selection
from ops.local_cluster import LocalCluster

Client = MongoClient[dict[str, Any]]

INTO = "restored_library"
EXAMPLES = 5 if os.environ.get("HYPOTHESIS_EXPLORE") else 1  # on each number of shards
WRITES = 25  # of each writer, before and after a full backup


@pytest.fixture(scope="module", params=[1, 2, 3], ids=["1 shard", "2 shards", "3 shards"])
def library(request: pytest.FixtureRequest, data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    with (
        tempfile.TemporaryDirectory(dir=data_directory) as directory,
        LocalCluster(Path(directory) / "cluster", mongod=mongod, shards=request.param, members=1) as cluster,
    ):
        fill(cluster)
        yield cluster


@contextmanager
def bulk_work(seed: int) -> Iterator[None]:
    """Bulk jobs that move films between shards in large transactions, and posters, on the films that no writer has."""
    stop = threading.Event()
    failed: list[BaseException] = []
    films = tuple(f"f{number}" for number in range(FILMS))

    def work() -> None:
        step = seed
        try:
            while not stop.is_set():
                step += 1
                run("edit", Selection(ids=films[step % 20 :]), Change("title", "set", f"Title {step}"))
                posters.store(films[step % FILMS], Picture(b"small %d" % step, b"large %d" % step), actor=ADA)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert failed == []


@settings(max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(1, 2**20))
def test_a_restore_to_a_random_second_is_exact(library: LocalCluster, seed: int) -> None:
    # Not drawn: Hypothesis begins with the simplest, which would be the first second.
    place = random.Random(f"{seed} {len(library.replica_sets)}").uniform(0.2, 1)
    with (
        tempfile.TemporaryDirectory() as directory,
        library.client() as client,
        Archiver(library, Path(directory) / "store", new_key(Path(directory))[1]) as archiver,
    ):
        archiver.wait()
        with at_work(library, seed) as writers:
            with bulk_work(seed):
                first = datetime.now(UTC)
                go_on(writers, WRITES)
                archiver.back_up()
                go_on(writers, WRITES)
                last = datetime.now(UTC)
            go_on(writers, 1)
            archiver.wait(last)
            second = datetime.fromtimestamp(int(first.timestamp() + place * (last - first).total_seconds()), UTC)
            moment = Timestamp(int(second.timestamp()), 2**32 - 1)
            wanted = contents(client, LIBRARY, at=moment)
            client.drop_database(INTO)
            arguments = ["--key", Path(directory) / "backup.key", "--into", INTO, "--at", second.isoformat()]
            succeed_beside(library, "restore", archiver.directory, "latest", *arguments)
            assert contents(client, INTO) == wanted
            check_model(writers, client, moment)
        client.drop_database(INTO)


def check_model(writers: list[Writer], client: Client, moment: Timestamp) -> None:
    for writer in writers:
        assert writer.found(client, INTO) in writer.possible(moment)
