"""What `make rotate-secrets` and cluster-up do around Ansible, which is not run here, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops import ansible, changes, rotation, run, secrets
from ops.down import remove
from ops.locks import LockedError, exclusive
from ops.progress import PhaseError, Progress


@pytest.fixture
def directory(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run, "ROOT", sandbox)
    monkeypatch.setattr(run, "LOGS", sandbox / "logs")
    return secrets.ensure("test")


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The playbooks that ran, and whether in check mode; `gate.yml` fails if `refused` is in the list."""
    done: list[tuple[str, bool]] = []

    def play(playbooks: list[str], _: list[Path], progress: Progress, check: bool = False, /, **__: Any) -> ansible.Run:
        done.append((Path(playbooks[0]).name, check))
        if playbooks == ["playbooks/gate.yml"] and ("refused", True) in done:
            raise PhaseError("failed", ["shard1 isn't healthy"])
        return ansible.Run(progress)

    monkeypatch.setattr(ansible, "play", play)
    return done


def test_a_refused_rotation_makes_no_secrets(directory: Path, plays: list[tuple[str, bool]]) -> None:
    plays.append(("refused", True))
    assert changes.rotate("test", [], {}) == 1
    assert plays[1:] == [("gate.yml", True)]
    assert not (directory / "rotation.yml").exists()


def test_one_that_only_looks_asks_the_gate(directory: Path, plays: list[tuple[str, bool]]) -> None:
    assert changes.rotate("test", [], {"CHECK": "1"}) == 0
    assert plays == [("gate.yml", True)]
    assert not (directory / "rotation.yml").exists()


def test_one_that_was_interrupted_goes_on(directory: Path, plays: list[tuple[str, bool]]) -> None:
    rotation.begin("test", ["passwords"])
    assert changes.rotate("test", [], {"WHAT": "passwords"}) == 0
    assert plays == [("rotate_secrets.yml", False)]
    assert not (directory / "rotation.yml").exists()


@pytest.mark.parametrize(("ends", "said"), [(True, "Interrupted: letting"), (False, "lock is held until")])
def test_an_interrupted_one_lets_backups_and_balancer_go_on(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ends: bool, said: str
) -> None:
    done = []

    def play(playbooks: list[str], _: list[Path], progress: Progress, *__: bool, **___: str) -> ansible.Run:
        done.append(Path(playbooks[0]).name)
        progress.rename(done[-1])
        if done[-1] == "restart.yml" or not ends:
            raise KeyboardInterrupt
        return ansible.Run(progress)

    monkeypatch.setattr(ansible, "play", play)
    assert changes.restart("test", [], {}) == 130
    assert done == ["restart.yml", "end_change.yml"]
    printed = capsys.readouterr().out
    assert said in printed
    assert "Interrupted in phase 'restart.yml'" in printed


def test_one_that_is_at_work_was_not_interrupted(directory: Path) -> None:
    assert rotation.reminder("test") == ""
    rotation.begin("test", ["passwords"])
    assert "passwords was interrupted" in rotation.reminder("test")
    with exclusive("test", wait=False):
        assert rotation.reminder("test") == "secrets/test: replacing passwords hasn't ended; a run is at work"
        with pytest.raises(LockedError):
            rotation.refuse_pending("test")


def test_a_cluster_that_is_gone_has_no_secrets_to_replace(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.hosts.down", lambda _: [])
    before = secrets.load_passwords("test")
    rotation.begin("test", ["passwords"])
    assert remove("test", secrets_too=False) == ["secrets/test/rotation.yml"]
    assert secrets.load_passwords("test") == before
    assert remove("test", secrets_too=False) == []
