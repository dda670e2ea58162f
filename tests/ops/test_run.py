"""How a long command ends: well, interrupted, or with a reason."""

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
    """The exit code of a command whose second phase raises the error after these lines went to the log."""

    def work(progress: Progress) -> int:
        with progress.phase("First"):
            pass
        with progress.phase("Second"):
            for line in logged:
                progress.log(line)
            raise error
        return 0

    return run.guarded("test", work, advice="Run it again.")


def test_it_ends_well(logs: Path) -> None:
    assert run.guarded("test", lambda _: 0, advice="") == 0
    assert len(list(logs.glob("test-*.log"))) == 1


def test_an_interruption_tells_the_phase_and_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert fails(KeyboardInterrupt()) == 130
    assert "Interrupted in phase 'Second'. Run it again." in capsys.readouterr().out


def test_a_failed_phase_shows_the_lines_that_matter_and_the_log(capsys: pytest.CaptureFixture[str], logs: Path) -> None:
    assert fails(PhaseError("site.yml failed", ["mongo-1: Start", "    no space left"]), "noise") == 1
    output = capsys.readouterr().out
    (log,) = logs.iterdir()
    assert "Failed in phase 'Second': site.yml failed\n  mongo-1: Start\n      no space left\n" in output
    assert output.endswith(f"Full log: logs/{log.name}\n")
    assert "noise" not in output


def test_without_better_lines_the_end_of_the_log_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert fails(PhaseError("molecule failed"), *(f"line {number}" for number in range(100))) == 1
    output = capsys.readouterr().out
    assert "  line 99\n" in output
    assert "line 50\n" not in output


def test_an_expected_error_needs_no_traceback_and_a_bug_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert fails(OpsError("podman is gone")) == 1
    assert "Traceback" not in capsys.readouterr().out
    assert fails(ZeroDivisionError("bug")) == 1
    assert "Traceback" in capsys.readouterr().out
