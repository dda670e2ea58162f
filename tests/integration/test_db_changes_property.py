"""Random writes of all kinds while changes are archived and a backup is made: a restore to a random second is exact.

Two things say what must be there: a snapshot of that second, read from the servers, has every byte, and a model has
what was acknowledged by then. No transaction is under way when the second ends: of one that is, each shard reports the
time of its own commit, so that it may count to the next second, and the snapshot's time doesn't say so.
"""

from __future__ import annotations

import os
import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
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
from writers import Turn, Writer, at_work, go_on

from app.db.films import Picture, posters
from app.db.jobs import Change, Selection
from ops.local_cluster import LocalCluster
from ops.processes import wait_for

Client = MongoClient[dict[str, Any]]

INTO = "restored_library"
EXAMPLES = 5 if os.environ.get("HYPOTHESIS_EXPLORE") else 1  # on each number of shards
ROUNDS, WRITES = 3, 8  # of each writer, before and after a full backup


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(1, id="1 shard", marks=pytest.mark.thorough),
        pytest.param(2, id="2 shards"),
        pytest.param(3, id="3 shards", marks=pytest.mark.thorough),
    ],
)
def library(request: pytest.FixtureRequest, data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    with (
        tempfile.TemporaryDirectory(dir=data_directory) as directory,
        LocalCluster(Path(directory) / "cluster", mongod=mongod, shards=request.param, members=1) as cluster,
    ):
        fill(cluster)
        yield cluster


@contextmanager
def bulk_work(seed: int) -> Iterator[Turn]:
    """Bulk jobs that move films between shards in large transactions, and posters, on the films that no writer has.

    Yields the turn of that work.
    """
    stop, turn = threading.Event(), Turn()
    failed: list[BaseException] = []
    films = tuple(f"f{number}" for number in range(FILMS))

    def work() -> None:
        step = seed
        try:
            while not stop.is_set():
                step += 1
                with turn.step():
                    run("edit", Selection(ids=films[step % 20 :]), Change("title", "set", f"Title {step}"))
                    posters.store(films[step % FILMS], Picture(b"small %d" % step, b"large %d" % step), actor=ADA)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield turn
    finally:
        stop.set()
        thread.join()
    assert failed == []


@settings(max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(1, 2**20))
def test_a_restore_to_a_random_second_is_exact(library: LocalCluster, seed: int) -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        library.client() as client,
        Archiver(library, Path(directory) / "store", new_key(Path(directory))[1]) as archiver,
    ):
        archiver.wait()
        with at_work(library, seed) as writers:
            with bulk_work(seed) as bulk:
                turns = [bulk, *(writer.turn for writer in writers)]
                seconds = list(some_seconds(writers, turns))
                archiver.back_up()
                seconds += some_seconds(writers, turns)
                last = datetime.now(UTC)
            go_on(writers, 1)
            archiver.wait(last)
            # Not drawn: Hypothesis begins with the simplest, which would be the first second.
            second = random.Random(f"{seed} {len(library.replica_sets)}").choice(seconds)
            moment = Timestamp(int(second.timestamp()), 2**32 - 1)
            wanted = contents(client, LIBRARY, at=moment)
            client.drop_database(INTO)
            arguments = ["--key", Path(directory) / "backup.key", "--into", INTO, "--at", second.isoformat()]
            succeed_beside(library, "restore", archiver.directory, "latest", *arguments)
            assert contents(client, INTO) == wanted
            check_model(writers, client, moment)
        client.drop_database(INTO)


def some_seconds(writers: list[Writer], turns: list[Turn]) -> Iterator[datetime]:
    """Seconds at whose end nothing is under way, with writes between them."""
    for _ in range(ROUNDS):
        go_on(writers, WRITES)
        with ExitStack() as stack:
            for turn in turns:
                stack.enter_context(turn.held_up())
            second = datetime.now(UTC).replace(microsecond=0)
            wait_for("end of the second", lambda second=second: datetime.now(UTC) >= second + timedelta(seconds=1))
        yield second


def check_model(writers: list[Writer], client: Client, moment: Timestamp) -> None:
    for writer in writers:
        assert writer.found(client, INTO) in writer.possible(moment)
