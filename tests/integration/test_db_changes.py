"""Changes are archived as they happen, and a restore goes to any second: exactly what was there at its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from archiver import Archiver
from backup_library import LIBRARY, contents, fill, succeed
from bson import Binary, Code, DatetimeMS, Int64, Regex
from pymongo import MongoClient

from ops.local_cluster import LocalCluster
from ops.processes import wait_for

INTO = "restored_library"
Client = MongoClient[dict[str, Any]]


@pytest.fixture(scope="module")
def library(data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    with LocalCluster(data_directory / "changes", mongod=mongod, members=1) as cluster:
        fill(cluster)
        yield cluster


@pytest.fixture(scope="module")
def client(library: LocalCluster) -> Iterator[Client]:
    with library.client() as client:
        yield client


@pytest.fixture
def archiver(library: LocalCluster, key: tuple[Path, str], tmp_path: Path) -> Archiver:
    return Archiver(library, tmp_path / "store", key[1])


def next_second() -> datetime:
    """The second that is over when this returns."""
    second = datetime.now(UTC).replace(microsecond=0)
    wait_for("the next second", lambda: datetime.now(UTC) >= second + timedelta(seconds=1))
    return second


def restored(library: LocalCluster, client: Client, archiver: Archiver, key: tuple[Path, str], at: str) -> Any:
    """What the library was at a second."""
    client.drop_database(INTO)
    arguments = ["restore", archiver.directory, "latest", "--key", key[0], "--into", INTO, "--at", at]
    succeed(library, *arguments, user="cluster-admin")
    return contents(client, INTO)


def test_any_second_comes_back(
    library: LocalCluster, client: Client, key: tuple[Path, str], archiver: Archiver
) -> None:
    films, exact = client[LIBRARY].movies, client[LIBRARY].exact
    wanted = {}
    with archiver:
        archiver.wait()
        for step, change in enumerate(CHANGES):
            exact.insert_one({"_id": step, **BEFORE})
            exact.update_one({"_id": step}, change)
            films.update_one({"_id": f"f{step}"}, {"$set": {"runtime": step}})
            films.delete_one({"_id": f"f{step + 30}"})
            if step % 5 == 0:
                wanted[next_second()] = contents(client)
        exact.replace_one({"_id": 0}, {"z": 1, "a": 2})
        archiver.wait()
    for second, content in wanted.items():
        assert restored(library, client, archiver, key, second.isoformat()) == content
    assert restored(library, client, archiver, key, "latest") == contents(client)


BEFORE = {"a": [1, [2, 3], {"x": [5, 6], "y": 1}, 4], "o": {"z": 1, "p": {"q": 1}, "7": 7}, "n": Int64(1), "t": "x"}
CHANGES: list[Any] = [
    {"$set": {"z": 1, "a.1.1": 9, "o.p.q": 2, "a.2.x.0": 7}},
    {"$unset": {"t": 1, "o.p": 1}},
    {"$push": {"a": {"$each": [1, 2]}}},
    {"$push": {"a": {"$each": [], "$slice": 2}}},
    {"$pull": {"a": 4}},
    {"$pop": {"a": -1}},
    {"$inc": {"n": 2**40}, "$set": {"o.7": 8, "o.zz": 1, "o.aa": 1}},
    {"$set": {"a": "no array", "o": []}},
    {"$rename": {"t": "u", "o.z": "w"}},
    {"$set": {"a.6": "beyond the end"}},
    {"$set": {"b": Binary(b"x", 4), "d": DatetimeMS(2**60), "r": Regex("^a", "i"), "c": Code("x"), "f": 1.0, "i": 1}},
    {"$set": {"a.2.x": [{"y": [1, 2, 3]}], "q": {"w": {"e": 1}}}},
    [{"$set": {"z": 1, "b": {"$concatArrays": ["$a", [1]]}, "o": {"b": 1, "a": 2}}}],
    [{"$set": {"a": {"$slice": ["$a", 1]}, "y": 1, "x": 1}}, {"$unset": ["t", "o.z"]}],
    [{"$replaceWith": {"_id": "$_id", "t": "$t", "new": 1}}],
]
