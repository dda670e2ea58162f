"""Fetching backups from a host that may be an intruder's: new ones arrive as a whole, and nothing else happens."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.db.backups import status
from ops import backup_host, backups, stores
from ops.errors import OpsError
from ops.fetching import FetchError, fetch, fetched, missing
from ops.locks import LockedError, exclusive
from ops.ssh import Remote

NOW = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)
OLD, NEW, NEWER = "20261129T100000Z-1a2b3c", "20261129T110000Z-hourly-1a2b3c", "20261129T120000Z-hourly-1a2b3c"
MOVIES, MANIFEST = "movies.bson.zst.age", "manifest.json"


def files(*names: str) -> dict[str, int]:
    return dict.fromkeys(names, 1)


def test_new_complete_backups_are_missing_and_their_manifests_come_last() -> None:
    there = files(
        *(f"{NEWER}/{MANIFEST}", f"{NEWER}/{MOVIES}", f"{NEW}/{MANIFEST}", f"{NEW}/users.bson.zst.age"),
        *(f"{OLD}/{MANIFEST}", "20261129T122900Z-1a2b3c/unfinished.bson.zst.age"),
    )
    wanted = missing(there, {f"{OLD}/{MANIFEST}"}, NOW)
    assert wanted == [f"{NEW}/users.bson.zst.age", f"{NEW}/{MANIFEST}", f"{NEWER}/{MOVIES}", f"{NEWER}/{MANIFEST}"]
    assert missing(there, set(there), NOW) == []


def test_half_of_a_backup_is_completed() -> None:
    there = files(f"{NEW}/{MANIFEST}", f"{NEW}/{MOVIES}")
    assert missing(there, {f"{OLD}/{MANIFEST}", f"{NEW}/{MOVIES}"}, NOW) == [f"{NEW}/{MANIFEST}"]


@pytest.mark.parametrize("backup", [OLD, "20261129T124000Z-1a2b3c"], ids=["of an earlier moment", "of the future"])
def test_a_moment_that_cannot_be_new_is_refused(backup: str) -> None:
    """An intruder's backup, which would take the place of a real one when old ones are removed."""
    assert missing(files(f"{backup}/{MANIFEST}"), {f"{NEW}/{MANIFEST}"}, NOW) == []


def test_slices_count_when_they_are_complete() -> None:
    data = [f"changes-1a2b/0000000{number}-1a2b3c.bson.zst.age" for number in (1, 2, 3)]
    there = files(*data, "changes-1a2b/00000001.json", "changes-1a2b/00000002.json")
    assert missing(there, {data[0], "changes-1a2b/00000001.json"}, NOW) == [data[1], "changes-1a2b/00000002.json"]


def test_what_was_fetched_up_to_a_gap_may_go_there() -> None:
    there = files(f"{OLD}/{MANIFEST}", f"{NEW}/{MANIFEST}", *(f"changes-1a2b/0000000{n}.json" for n in range(4)))
    here = {f"{OLD}/{MANIFEST}", *(f"changes-1a2b/0000000{n}.json" for n in (0, 1, 3))}
    assert fetched(there, here) == [OLD, "changes-1a2b/00000001"]
    assert fetched(there, {f"{OLD}/{MOVIES}"}) == []


@pytest.fixture
def host(tmp_path: Path) -> Remote:
    """This machine, without ssh."""
    return Remote("router-1", ["sh", "-c", 'shift; eval "$*"', "ssh"])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    directory = tmp_path / "host's store"
    for backup in (OLD, NEW):
        (directory / backup).mkdir(parents=True)
        (directory / backup / MOVIES).write_text(f"films of {backup}")
        (directory / backup / MANIFEST).write_text("{}")
    return directory


def test_backups_are_fetched_once(host: Remote, store: Path, tmp_path: Path) -> None:
    """What was fetched never changes, whatever the host does to it."""
    into = tmp_path / "controller"
    assert fetch(host, str(store), into) == [OLD, NEW]
    assert into.stat().st_mode & 0o777 == 0o700
    (store / NEW / MOVIES).write_text("overwritten")
    (store / OLD / "another.bson.zst.age").write_text("added")
    (store / NEWER).mkdir()
    (store / NEWER / MANIFEST).write_text("{}")
    assert fetch(host, str(store), into) == [OLD, NEW, NEWER]
    assert (into / NEW / MOVIES).read_text() == f"films of {NEW}"
    assert sorted(path.name for path in into.rglob("*") if path.is_file()) == [MANIFEST] * 3 + [MOVIES] * 2


def test_other_files_are_not_fetched(host: Remote, store: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (store / NEW / "link.bson.zst.age").symlink_to(tmp_path / "secret")
    (store / NEW / ".bashrc").write_text("")
    (store / NEW / "a\nb").write_text("")
    (store / "elsewhere").mkdir()
    (store / "elsewhere" / MANIFEST).write_text("")
    fetch(host, str(store), tmp_path / "controller")
    found = {str(path.relative_to(tmp_path / "controller")) for path in (tmp_path / "controller").rglob("*.*")}
    assert found == {f"{backup}/{name}" for backup in (OLD, NEW) for name in (MOVIES, MANIFEST)}


# A host that answers `tar` with an archive of its own.
LYING = """
import io, sys, tarfile
archive = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
for name in sys.argv[1:]:
    member = tarfile.TarInfo(name)
    member.size = 1 if name.startswith("..") else 999
    archive.addfile(member, io.BytesIO(b"x" * 999))
archive.close()
"""


@pytest.mark.parametrize("name", ["../outside", f"{NEW}/{MOVIES}", "/nowhere/outside"])
def test_a_host_that_sends_something_else_is_refused(
    host: Remote, store: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lying(Remote):
        def command(self, *words: str) -> list[str]:
            return [sys.executable, "-c", LYING, name] if words[0] == "tar" else super().command(*words)

    into = tmp_path / "in" / "controller"
    into.parent.mkdir()
    with pytest.raises(FetchError, match="instead of what it listed"):
        fetch(Lying(host.name, host.login), str(store), into)
    assert [path.name for path in into.parent.rglob("*") if path.is_file()] == []


def test_an_interrupted_copy_is_continued(host: Remote, store: Path, tmp_path: Path) -> None:
    class Dying(Remote):
        def command(self, *words: str) -> list[str]:
            command = super().command(*words)
            return ["sh", "-c", '"$@" | head -c 1500', "sh", *command] if words[0] == "tar" else command

    into = tmp_path / "controller"
    with pytest.raises(FetchError, match=r"the connection ended|didn't send"):
        fetch(Dying(host.name, host.login), str(store), into)
    assert not (into / OLD / MANIFEST).exists()
    assert fetch(host, str(store), into) == [OLD, NEW]
    assert list(into.rglob(".*")) == []


def test_a_host_without_backups(host: Remote, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"can't be listed: .*No such file"):
        fetch(host, str(tmp_path / "nothing"), tmp_path / "controller")
    (tmp_path / "empty").mkdir()
    assert fetch(host, str(tmp_path / "empty"), tmp_path / "controller") == []


def test_the_status_is_read_from_the_host(host: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_host, "_READ_STATUS", backup_host._READ_STATUS.replace(backup_host.STATE, str(tmp_path)))
    monkeypatch.setattr(backup_host, "STATE", str(tmp_path))
    assert backup_host.read_status(host) == status.Status()
    (tmp_path / status.CHANGES).write_text(json.dumps({"gap": None}, indent=1))
    backup_host.note_verified(host, NEW)
    found = backup_host.read_status(host)
    assert (found.archives_changes, found.verified_backup) == (True, NEW)
    assert found.verified is not None
    assert timedelta() <= datetime.now(UTC) - found.verified < timedelta(minutes=1)
    with pytest.raises(OpsError, match="can't be reached"):
        backup_host.read_status(Remote("router-1", ["sh", "-c", "exit 255"]))


@pytest.mark.parametrize(
    ("fetched_hours_ago", "first_hours_ago", "problem"),
    [
        (25, 100, ""),
        (27, 100, "none has been fetched since that of"),
        (None, 100, "none has been fetched yet"),
        (None, 25, ""),
        (500, 25, ""),
        (None, None, ""),
    ],
)
def test_backups_that_nobody_fetches_are_a_problem(
    host: Remote,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    fetched_hours_ago: float | None,
    first_hours_ago: float | None,
    problem: str,
) -> None:
    """Also while the host says that all is well."""
    monkeypatch.setattr(backup_host, "_READ_STATUS", backup_host._READ_STATUS.replace(backup_host.STATE, str(tmp_path)))
    now, into = datetime.now(UTC), tmp_path / "fetched"
    if first_hours_ago is not None:
        first = (now - timedelta(hours=first_hours_ago)).isoformat()
        (tmp_path / status.FULL).write_text(json.dumps({"at": now.isoformat(), "first": first}))
        (tmp_path / status.CHANGES).write_text(json.dumps({"covered_until": now.isoformat()}))
        (tmp_path / status.VERIFIED).write_text(json.dumps({"at": now.isoformat()}))
    if fetched_hours_ago is not None:
        name = f"{now - timedelta(hours=fetched_hours_ago):%Y%m%dT%H%M%SZ}-1a2b3c"
        (into / name).mkdir(parents=True)
        (into / name / MANIFEST).write_text("{}")
        (into / "notes").mkdir()
        (into / "notes" / MANIFEST).write_text("{}")
    found = [text for text in backup_host.describe(host, into)[1] if not text.startswith("no backup has been made")]
    assert len(found) == bool(problem)
    assert not problem or found[0].startswith(problem)
    assert not any("fetched" in text for text in backup_host.describe(host, None)[1])


def test_a_lock_names_its_environment(sandbox: Path, host: Remote) -> None:
    with exclusive("test", "backups"), pytest.raises(LockedError, match=r"^test$"):
        backups.bring("test", host)


def test_a_list_of_nothing(sandbox: Path) -> None:
    with pytest.raises(OpsError, match="make backup ENV=test"):
        stores.place("test")
    (sandbox / "backups" / "test" / OLD).mkdir(parents=True)
    text = backups.render("test", stores.place("test"))
    assert text.startswith("There is no backup.")
    assert f"{OLD} can't be used: {OLD}/manifest.json is missing" in text
