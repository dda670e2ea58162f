"""`make doctor` reports what is there, what is missing and how to fix it, and changes nothing."""

from __future__ import annotations

from pathlib import Path

from tests.ops.newcomer import Newcomer


def test_it_reports_what_a_bug_report_needs(tmp_path: Path) -> None:
    newcomer = Newcomer.arrive(tmp_path / "copy").having(ANSIBLE_CONFIG="/x", LC_ALL="xx", https_proxy="http://a:b@c")
    result = newcomer.make("doctor")
    for said in ("an unpacked archive", "python ", "system ", "disk ", "podman ", "terraform "):
        assert said in result.stdout
    (ignored,) = (line.split() for line in result.stdout.splitlines() if "not passed on by make" in line)
    assert {"ANSIBLE_CONFIG", "LC_ALL"} <= set(ignored)
    assert "https_proxy" in result.stdout
    assert "a:b@c" not in result.stdout  # may be a password
    assert not (newcomer.directory / "logs").exists()


def test_obstacles_have_a_remedy_and_an_exit_code(tmp_path: Path) -> None:
    newcomer = Newcomer.arrive(tmp_path / "copy")
    result = newcomer.make("doctor", "SHARDS=99", "ENV=test")
    assert result.returncode != 0
    assert "FAIL  SHARDS=99: must be one of 1, 2, 3" in result.stdout
    assert "system " in result.stdout
