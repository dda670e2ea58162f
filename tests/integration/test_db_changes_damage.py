"""Archived changes that are damaged, or not the archiver's: a restore is exact, or refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from archiver import INTO, Archiver, arguments, write
from backup_library import contents, run, succeed
from bson import Timestamp
from killed import run_and_kill
from pymongo import MongoClient

from app.db import backups
from app.db.backups import Directory
from app.db.backups.changes import chain
from ops.local_cluster import LocalCluster

Client = MongoClient[dict[str, Any]]


@pytest.fixture
def client(library: LocalCluster) -> Iterator[Client]:
    with library.client() as client:
        yield client
        client.drop_database(INTO)


@pytest.fixture(scope="module")
def archived(
    library: LocalCluster, key: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, tuple[int, str]]]:
    """A directory with a backup and changes in several slices, not to be changed; and what was there at the end."""
    archiver = Archiver(library, tmp_path_factory.mktemp("archived") / "store", key[1])
    with library.client() as client, archiver:
        archiver.wait()
        for number in range(100, 103):
            write(client, number)
            archiver.wait()
        content = contents(client)
    return archiver.directory, content


@pytest.fixture
def copy(archived: tuple[Path, Any], tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(archived[0], tmp_path / "copy")
    return tmp_path / "copy"


def data_files(directory: Path) -> list[Path]:
    return sorted(directory.glob("changes-*/*.age"))


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def swap(files: list[Path]) -> None:
    first, second = (file.read_bytes() for file in files[:2])
    files[0].write_bytes(second)
    files[1].write_bytes(first)


def json_of(file: Path) -> Path:
    return file.with_name(f"{file.name[:8]}.json")


def renumber(files: list[Path]) -> None:
    """A slice is left out, and the following ones take its place."""
    jsons = sorted(files[0].parent.glob("*.json"))
    place = jsons.index(json_of(files[0]))
    for file, following in zip(jsons[place:], jsons[place + 1 :], strict=False):
        shutil.copy(following, file)


DAMAGE: dict[str, Callable[[list[Path]], Any]] = {
    "truncated": lambda files: files[0].write_bytes(files[0].read_bytes()[:-1]),
    "flipped": lambda files: flip(files[0]),
    "missing": lambda files: files[0].unlink(),
    "swapped": swap,
    "json missing": lambda files: json_of(files[0]).unlink(),
    "json changed": lambda files: json_of(files[0]).write_text(
        json_of(files[0]).read_text().replace('"events": ', '"events": 1')
    ),
    "json emptied": lambda files: json_of(files[0]).write_bytes(b""),
    "left out": renumber,
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_slices_are_refused_by_name(
    library: LocalCluster, client: Client, key: tuple[Path, str], copy: Path, what: str
) -> None:
    """Before anything is loaded; by verify-backup, too."""
    files = data_files(copy)
    DAMAGE[what](files)
    for result in (
        run(library, *arguments(copy, key), user="cluster-admin"),
        run(None, "verify-backup", copy, "latest", "--key", key[0]),
    ):
        assert result.exit_code == 1
        name = files[0].name[:8] if what != "left out" else "0"
        assert f"{files[0].parent.name}/{name}" in result.output, result.output
        assert "Traceback" not in result.output
    assert contents(client, INTO) == {}
    assert run(None, "backups", copy).exit_code == 0


def test_a_missing_slice_with_the_backups_own_moment_is_noticed(
    library: LocalCluster, key: tuple[Path, str], copy: Path
) -> None:
    store = Directory(copy)
    (known,) = chain.chains(store)
    moment = backups.find(store, "latest").cluster_time
    # A slice that ends with that very moment isn't needed.
    number = known.numbers[known.place(Timestamp(moment.time, moment.inc + 1))]
    (copy / known.name / chain.json_name(number)).unlink()
    result = run(library, *arguments(copy, key), user="cluster-admin")
    assert (result.exit_code, f"{number:08}.json is missing" in result.output) == (1, True), result.output


def test_a_second_that_is_not_archived_is_refused_with_the_last_one_that_is(
    library: LocalCluster, key: tuple[Path, str], copy: Path
) -> None:
    (row,) = json.loads(run(None, "backups", copy, "--json").output)
    until = datetime.fromisoformat(row["restorable_until"])
    later = (until + timedelta(seconds=1)).isoformat()
    result = run(library, *arguments(copy, key, later), user="cluster-admin")
    assert (result.exit_code, f"can go to {until:%Y-%m-%dT%H:%M:%SZ}" in result.output) == (1, True), result.output
    result = run(library, *arguments(copy, key, "2020-01-01"), user="cluster-admin")
    assert (result.exit_code, "no complete backup of before" in result.output) == (1, True), result.output
    assert run(library, *arguments(copy, key, "tomorrow"), user="cluster-admin").exit_code == 2
    for directory in copy.glob("changes-*"):
        shutil.rmtree(directory)
    result = run(library, *arguments(copy, key), user="cluster-admin")
    assert (result.exit_code, "no changes since" in result.output) == (1, True), result.output


def test_a_damaged_slice_spares_the_seconds_before_it(
    library: LocalCluster, client: Client, key: tuple[Path, str], copy: Path
) -> None:
    *_, last = data_files(copy)
    flip(last)
    found = backups.find(Directory(copy), "latest")
    at = found.cluster_time.as_datetime().isoformat()
    succeed(library, *arguments(copy, key, at), user="cluster-admin")
    assert client[INTO].numbers.find_one({"_id": 102}) is None


def test_a_damaged_slice_in_the_middle_spares_the_seconds_before_and_the_backups_after(
    library: LocalCluster, client: Client, key: tuple[Path, str], copy: Path
) -> None:
    _, middle, _ = data_files(copy)
    number = int(middle.name[:8])
    store = Directory(copy)
    (known,) = chain.chains(store)
    before, after = known.slice(number - 1), known.slice(known.numbers[-1])
    json_of(middle).write_bytes(b"x")
    (known,) = chain.chains(store)
    assert known.numbers[known.place(after.end)] == after.number
    result = run(library, *arguments(copy, key), user="cluster-admin")
    until = f"{chain.complete_second(before.end):%Y-%m-%dT%H:%M:%SZ}"
    assert (result.exit_code, f"a restore can go to {until}" in result.output) == (1, True), result.output
    succeed(library, *arguments(copy, key, until), user="cluster-admin")
    assert client[INTO].numbers.find_one({"_id": 101}) is None


def forge(directory: Path, name: str, **changed: Any) -> None:
    """A whole chain of one slice without events, as whoever has the public key can write it."""
    (known,) = (one for one in chain.chains(Directory(directory)) if one.name != name)
    found = backups.find(Directory(directory), "latest").cluster_time
    one = replace(known.slice(known.numbers[0]), chain=name, number=0, start=found, end=found, **changed)
    (directory / name).mkdir()
    (directory / name / "00000000.json").write_bytes(chain.dump(one)[0])


def garbage_tail(directory: Path) -> None:
    """Whose middle is garbage, too."""
    for number in range(1000):
        with suppress(FileExistsError), (data_files(directory)[0].parent / chain.json_name(number)).open("xb") as file:
            file.write(b"x")


EVIL = "changes-99991129T000000Z-1a2b3c"


def garbage_chain(directory: Path, content: bytes = b"x") -> None:
    (directory / EVIL).mkdir()
    (directory / EVIL / "00000000.json").write_bytes(content)


def other_format(directory: Path) -> None:
    plain = json.loads(next(directory.glob("changes-*/*.json")).read_bytes())
    del plain["checksum"]
    plain["format"] = 2
    garbage_chain(directory, json.dumps({**plain, "checksum": chain._checksum(plain)}).encode())


ADDED: dict[str, Callable[[Path], None]] = {
    "garbage tail": garbage_tail,
    "garbage chain": garbage_chain,
    "deep garbage": lambda directory: garbage_chain(directory, b"[" * 200_000),
    "other format": other_format,
    "shorter chain": lambda directory: forge(directory, EVIL),
    "unreadable data": lambda directory: forge(directory, EVIL, file="00000000.age", events=1),
    "wrong type": lambda directory: forge(directory, EVIL, token=5),
    "no database": lambda directory: forge(directory, EVIL, database=None),
}


@pytest.mark.parametrize("what", ADDED)
def test_files_that_an_intruder_adds_hide_nothing(
    library: LocalCluster,
    client: Client,
    key: tuple[Path, str],
    *,
    archived: tuple[Path, dict[str, tuple[int, str]]],
    copy: Path,
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    """What was archived before can be restored to the same second."""
    (row,) = json.loads(run(None, "backups", copy, "--json").output)
    ADDED[what](copy)
    listed = run(None, "backups", copy, "--json")
    assert listed.exit_code == 0, listed.output
    assert json.loads(listed.stdout)[0]["restorable_until"] == row["restorable_until"]
    succeed(library, *arguments(copy, key, row["restorable_until"]), user="cluster-admin")
    assert contents(client, INTO) == archived[1]
    verified = run(None, "verify-backup", copy, "latest", "--key", key[0])
    if what == "garbage tail":
        assert (verified.exit_code, "is damaged" in verified.output) == (1, True), verified.output
    else:
        assert (verified.exit_code, EVIL in caplog.text) == (0, True), verified.output


STEPS = [f"app.db.backups.changes.replay:{name}" for name in ("in_transaction", "_Batch._read")]


@pytest.mark.parametrize("after", [0, 1, 4])
def test_an_interrupted_replay_goes_on(
    library: LocalCluster, client: Client, key: tuple[Path, str], archived: tuple[Path, Any], after: int
) -> None:
    small = {"app.db.backups.changes.replay:MAX_EVENTS": 2}
    run_and_kill(library, after, STEPS, *arguments(archived[0], key), settings=small)
    found = backups.find(Directory(archived[0]), "latest").cluster_time.as_datetime().isoformat()
    other = run(library, *arguments(archived[0], key, found), user="cluster-admin")
    assert (other.exit_code, "is unfinished" in other.output) == (1, True), other.output
    succeed(library, *arguments(archived[0], key), user="cluster-admin")
    assert contents(client, INTO) == archived[1]


def test_changes_before_a_damaged_slice_are_shown(copy: Path, key: tuple[Path, str]) -> None:
    whole = run(None, "changes", copy, "latest", "--key", key[0], "--seconds")
    assert whole.exit_code == 0, whole.output
    flip(data_files(copy)[-1])
    result = run(None, "changes", copy, "latest", "--key", key[0], "--seconds")
    *shown, said = result.output.splitlines()
    assert (result.exit_code, "is damaged" in said) == (1, True), result.output
    assert shown
    assert sum(count(line) for line in shown) < sum(count(line) for line in whole.output.splitlines())
    assert {line.split()[0] for line in shown} <= {line.split()[0] for line in whole.output.splitlines()}


def count(line: str) -> int:
    """The changes in a line of `changes`."""
    return sum(int(kind.split()[0]) for kind in line.split(maxsplit=1)[1].split(", "))
