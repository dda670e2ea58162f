"""How a long command ends: successfully, interrupted, or with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import run
from ops.errors import OpsError
from ops.progress import PhaseError, Progress


@pytest.fixture(autouse=True)
def logs(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = sandbox / "logs"
    monkeypatch.setattr(run, "ROOT", sandbox)
    monkeypatch.setattr(run, "LOGS", directory)
    return directory


def fails(error: BaseException, *logged: str) -> int:
    """The exit code of a command whose second phase logs these lines and then raises the error."""

    def work(progress: Progress) -> int:
        with progress.phase("First"):
            pass
        with progress.phase("Second"):
            for line in logged:
                progress.log(line)
            raise error
        return 0

    return run.guarded("test", work, advice="Run it again.")


def test_success(logs: Path) -> None:
    assert run.guarded("test", lambda _: 0, advice="") == 0
    assert len(list(logs.glob("test-*.log"))) == 1


def test_an_interruption_names_the_phase_and_how_to_continue(capsys: pytest.CaptureFixture[str]) -> None:
    assert fails(KeyboardInterrupt()) == 130
    assert "Interrupted in phase 'Second'. Run it again." in capsys.readouterr().out


def test_a_failure_shows_the_relevant_lines_and_the_log(capsys: pytest.CaptureFixture[str], logs: Path) -> None:
    assert fails(PhaseError("site.yml failed", ["mongo-1: Start", "    no space left"]), "noise") == 1
    output = capsys.readouterr().out
    (log,) = logs.iterdir()
    assert "Failed in phase 'Second': site.yml failed\n  mongo-1: Start\n      no space left\n" in output
    assert output.endswith(f"Full log: logs/{log.name}\n")
    assert "noise" not in output


def test_by_default_a_failure_shows_the_end_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert fails(PhaseError("molecule failed"), *(f"line {number}" for number in range(100))) == 1
    output = capsys.readouterr().out
    assert "  line 99\n" in output
    assert "line 50\n" not in output


def test_only_bugs_show_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert fails(OpsError("podman is gone")) == 1
    assert "Traceback" not in capsys.readouterr().out
    assert fails(ZeroDivisionError("bug")) == 1
    assert "Traceback" in capsys.readouterr().out
