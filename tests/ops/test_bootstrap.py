"""bin/bootstrap, in a separate copy with its own lock file."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ops import paths

TOOLS = ("sh", "mkdir", "dirname", "cat", "sha256sum", "grep", "rm", "uname")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The scripts and an empty lock file."""
    for directory in ("bin", "requirements"):
        (tmp_path / "tree" / directory).mkdir(parents=True)
    for script in ("bootstrap", "system"):
        shutil.copy(paths.ROOT / "bin" / script, tmp_path / "tree" / "bin")
    (tmp_path / "tree" / "requirements" / "dev.txt").write_text("# nothing\n")
    return tmp_path / "tree"


def bootstrap(copy: Path, *parts: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"PATH": str(path)} if path else {})
    return subprocess.run(
        [str(copy / "bin" / "bootstrap"), *parts], check=False, capture_output=True, text=True, env=environment
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The PATH of a bare machine on which the user isn't root."""
    directory = tmp_path / "path"
    directory.mkdir()
    for tool in TOOLS:
        (directory / tool).symlink_to(str(shutil.which(tool)))
    for name, text in {"id": "echo 1000", "dpkg-query": "exit 1", "python3": "exit 1"}.items():
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    return directory


def test_an_unknown_part_is_refused(copy: Path) -> None:
    result = bootstrap(copy, "everything")
    assert result.returncode != 0
    assert (
        "unknown part 'everything'; must be check, doctor, python, hosts, cloud, browser or scanners" in result.stderr
    )


def test_an_old_python_is_refused(copy: Path, bare: Path) -> None:
    result = bootstrap(copy, "python", path=bare)
    assert result.returncode != 0
    assert "needs Python 3.11 or later" in result.stderr
    assert not (copy / ".venv").exists()


def test_packages_that_the_user_may_not_install_are_listed(copy: Path, bare: Path) -> None:
    result = bootstrap(copy, "hosts", path=bare)
    assert result.returncode != 0
    assert "needs root or sudo to install: podman crun " in result.stderr


def test_venv_is_created_once_and_again_after_an_interruption(copy: Path) -> None:
    first = bootstrap(copy, "python")
    assert first.returncode == 0, first.stderr
    assert "Creating .venv" in first.stderr
    stamp = copy / ".venv" / "requirements.sha256"
    made = stamp.stat().st_mtime_ns

    assert bootstrap(copy, "python").stderr == ""
    assert stamp.stat().st_mtime_ns == made

    stamp.unlink()  # as after an interrupted run
    (copy / ".venv" / "half").touch()
    assert "Creating .venv" in bootstrap(copy, "python").stderr
    assert not (copy / ".venv" / "half").exists()


def test_a_changed_lock_recreates_venv(copy: Path) -> None:
    assert bootstrap(copy, "python").returncode == 0
    (copy / "requirements" / "dev.txt").write_text("not a requirement\n")
    result = bootstrap(copy, "python")
    assert result.returncode != 0
    assert not (copy / ".venv" / "requirements.sha256").exists()


def through_the_shell(copy: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(paths.ROOT / "bin" / "shell", copy / "bin")
    words = ["sh", "bin/shell", "-c", "sh bin/bootstrap python"]
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(words, cwd=copy, env=environment, check=False, capture_output=True, text=True)


def test_pip_settings_for_other_projects_have_no_effect(copy: Path) -> None:
    result = through_the_shell(copy, PIP_USER="1", PIP_REQUIRE_VIRTUALENV="1", PIP_TARGET="/nonexistent")
    assert result.returncode == 0, result.stderr


def test_a_pip_configuration_that_installs_elsewhere_is_named(copy: Path) -> None:
    (copy / "pip.conf").write_text("[install]\ntarget = /nonexistent\n")
    result = through_the_shell(copy, PIP_CONFIG_FILE=str(copy / "pip.conf"))
    assert result.returncode != 0
    assert "install.target='/nonexistent'" in result.stderr
    assert "installs packages elsewhere" in result.stderr
    assert not (copy / ".venv" / "requirements.sha256").exists()


def test_two_runs_at_once_create_one_venv(copy: Path) -> None:
    words = [str(copy / "bin" / "bootstrap"), "python"]
    runs = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = "".join(run.communicate()[1] for run in runs)
    assert [run.returncode for run in runs] == [0, 0], said
    assert said.count("Creating .venv") == 1
