"""What `make restore`, `backup-verify` and `cluster-up RESTORE=` are asked for, and a verification for real."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from app.db import backups
from app.db.core import DatabaseConfig, connection
from ops import ansible, commands, confirm, restore, stores, up, verify
from ops.errors import OpsError
from ops.local_cluster import LocalCluster
from ops.progress import Progress
from ops.restore import Request
from ops.settings import Settings

ENV = "test"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store of backups, and a key in the environment's secrets."""
    monkeypatch.setattr(stores, "ROOT", tmp_path)
    monkeypatch.setattr(stores, "secrets_dir", lambda env: tmp_path / "secrets")
    monkeypatch.setattr(stores, "backups_dir", lambda env: tmp_path / "backups" / env)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "backups" / ENV).mkdir(parents=True)
    backups.make_key(tmp_path / "secrets" / stores.KEY)
    return tmp_path / "backups" / ENV


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "which backup"),
        ({"BACKUP": "latest", "INTO": "a.b"}, "INTO=a.b"),
        ({"BACKUP": "latest", "AT": "yesterday"}, "AT=yesterday: 'yesterday' is no time"),
        ({"BACKUP": "latest", "INTO": "other", "COLLECTION": "movies"}, "without INTO"),
        ({"BACKUP": "latest", "WHERE": "_id eq 1"}, "of which COLLECTION"),
        ({"BACKUP": "latest", "COLLECTION": "movies", "CONFLICTS": "yes"}, "keep or replace"),
    ],
)
def test_what_makes_no_sense_is_refused(variables: dict[str, str], said: str) -> None:
    with pytest.raises(OpsError, match=said):
        Request.read(variables)


def test_where_is_a_condition_or_extended_json() -> None:
    wanted = {"BACKUP": "latest", "COLLECTION": "movies"}
    assert Request.read({**wanted, "WHERE": "_id eq 1"}).records[-2:] == ["--where", "_id eq 1"]
    assert Request.read({**wanted, "WHERE": '{"_id": 1}'}).records[-2:] == ["--filter", '{"_id": 1}']
    assert Request.read({**wanted, "CONFLICTS": "replace"}).records[-1] == "--replace"


def test_without_a_terminal_the_word_must_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(OpsError, match="must be test when not on a terminal; nothing happened"):
        confirm.ask(ENV, {"CONFIRM": "local"}, [], "nothing happened")
    confirm.ask(ENV, {"CONFIRM": ENV}, [], "nothing happened")


def test_a_cluster_is_not_built_for_a_backup_that_is_not_there(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for wanted in ("latest", "20261129T123456Z-1a2b3c"):
        with pytest.raises(OpsError, match="no such complete backup"):
            restore.check(ENV, Request(wanted))
    (store / "20261129T123456Z-1a2b3c").mkdir()
    with pytest.raises(OpsError, match="never completed"):
        restore.check(ENV, Request("20261129T123456Z-1a2b3c"))
    monkeypatch.setenv("STORE", str(store / "elsewhere"))
    with pytest.raises(OpsError, match="no such directory"):
        restore.check(ENV, Request("latest"))
    stores.key_file(ENV).unlink()
    with pytest.raises(OpsError, match="put your copy there"):
        restore.check(ENV, Request("latest"))


def test_a_backup_is_verified_by_restoring_it(
    store: Path, mongodb: LocalCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    connection.connect(DatabaseConfig(mongodb.uri(), database="movie_library"))
    connection.get_collection("movies").insert_one({"_id": "f1", "title": "Film"})
    key = backups.private_keys(stores.key_file(ENV))[0]
    access = backups.Access(users=[{"name": "somebody", "roles": []}])
    made = backups.take(backups.open_store(str(store)), [key.to_public()], access=access)
    connection.get_collection("movies").drop()
    connection.disconnect()
    restore.check(ENV, Request("latest"))
    restore.check(ENV, Request("latest", "latest"))
    for wanted, said in (
        (Request("latest", "2020-01-01T00:00:00Z"), "of before 2020-01-01"),
        (Request(made.id, "2020-01-01T00:00:00Z"), "can be restored from"),
        (Request("latest", "2099-01-01T00:00:00Z"), "can be restored from"),
    ):
        with pytest.raises(OpsError, match=said):
            restore.check(ENV, wanted)
    assert verify.verify(ENV, Request("latest"), lambda backup: stores.note_verified(ENV, backup)) == 0
    assert json.loads((store / "verified.json").read_text())["backup"] == made.id
    assert "not as in the backup" not in capsys.readouterr().out, "the throw-away MongoDB has users of its own"
    (store / "verified.json").unlink()

    file = store / made.id / "movies.bson.zst.age"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert verify.verify(ENV, Request(made.id), lambda backup: pytest.fail("it isn't good")) == 1
    assert "movies.bson.zst.age is damaged" in capsys.readouterr().out


class Recorded:
    """A cluster, of which only what would have been run is known: commands by name, and playbooks with variables."""

    store, key = "store", Path("key")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, log: Path) -> None:
        self.steps: list[tuple[str, dict[str, Any]]] = []
        self.progress = Progress(log)
        monkeypatch.setattr(commands, "on_router", lambda *_: nullcontext(self))
        monkeypatch.setattr(ansible, "play", self.play)
        self.cluster: Any = restore.Cluster(ENV, nullcontext, [])  # type: ignore[arg-type]  # on_router, replaced above, would use it

    def run(self, command: str, *arguments: str) -> str:
        if "--dry-run" in arguments:
            return "{}"
        self.steps.append((command, {}))
        return "done"

    def lines(self, *arguments: str) -> tuple[list[str], bool]:
        return [self.run(*arguments)], False

    def play(self, playbooks: list[str], *_: object, **variables: Any) -> ansible.Run:
        self.steps += [(playbook, variables) for playbook in playbooks]
        return ansible.Run(self.progress)


def test_a_new_clusters_backups_begin_when_its_library_is_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until `restore-cleanup` the same command goes on from an interruption, so the backups begin before it."""
    recorded = Recorded(monkeypatch, tmp_path / "log")
    for module, name in ((up.source, "choose"), (up.secrets, "ensure"), (up.hosts, "up"), (up.inventory, "write")):
        monkeypatch.setattr(module, name, lambda *_: None)
    up.build(Settings.read({"ENV": ENV}), recorded.progress, sample=False)
    assert recorded.steps == [("site.yml", {"backup_paused": True})]

    recorded.steps.clear()
    restore.into_new(recorded.cluster, Request("latest"), recorded.progress)
    names = [name for name, _ in recorded.steps]
    assert names.index("swap-in") < names.index("playbooks/back_up.yml") < names.index("restore-cleanup")


def test_a_restore_into_a_running_cluster_leaves_backups_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(monkeypatch, tmp_path / "log")
    monkeypatch.setattr(restore, "guarded", lambda name, work, advice: work(recorded.progress))
    assert restore.restore(recorded.cluster, Request("latest"), {"CONFIRM": ENV}) == 0
    assert "playbooks/back_up.yml" not in dict(recorded.steps)


def test_the_apps_are_stopped_while_a_restore_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(monkeypatch, tmp_path / "log")
    monkeypatch.setattr(restore, "guarded", lambda name, work, advice: work(recorded.progress))
    with pytest.raises(OpsError, match="nothing was replaced"):
        restore.undo(recorded.cluster, {"CONFIRM": "another"})
    assert restore.undo(recorded.cluster, {"CONFIRM": ENV}) == 0
    names = [name for name, _ in recorded.steps]
    assert names == ["playbooks/stop_apps.yml", "restore-undo", "playbooks/start_apps.yml"]
