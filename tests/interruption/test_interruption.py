"""`cluster-up`, interrupted in each phase and run again: it completes, and another run changes nothing."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.down import down
from ops.paths import LOGS, secrets_dir
from tests import secret_search
from tests.drills.environment import ENV, start_ops

#: As with -vvv: tests/roles/cluster/test_secrets.py then searches the logs for secrets.
TALKATIVE = {"ANSIBLE_VERBOSITY": "3"}
PATIENCE = 600  # seconds; a whole cluster-up takes about 150 on two quiet cores

#: Log patterns of work that an interrupt could leave half done.
MOMENTS = {
    "hosts": r"^==== Hosts$",
    "machine set-up": r"^==== Prepare the hosts$[\s\S]*^changed:",
    "packages": r"^==== Install MongoDB$[\s\S]*^changed:",
    "members": r"^==== Start the members$[\s\S]*^changed:",
    "replica sets": r"^==== Form the replica sets$[\s\S]*^TASK",
    "router": r"^==== Start the router$[\s\S]*^changed:",
    "sharded cluster": r"^==== Build the sharded cluster$[\s\S]*^changed:",
    "web apps": r"^==== Deploy the web apps$[\s\S]*^changed:",
    "sample catalogue": r"^==== Load the sample catalogue$[\s\S]*^TASK \[.*[Ll]oad",
}
#: Those that leave the most behind. `make drills` has the others, too.
ALWAYS = {"packages", "sharded cluster"}


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {PATIENCE} s"
        time.sleep(0.1)  # between polls of the log


def newest_log() -> str:
    logs = sorted(LOGS.glob(f"{ENV}-up-*.log"), key=lambda path: path.stat().st_mtime)
    return logs[-1].read_text(errors="replace") if logs else ""


@pytest.fixture(scope="module", autouse=True)
def from_nothing() -> None:
    down(ENV, {})
    for log in LOGS.glob(f"{ENV}-up-*.log"):
        log.unlink()


@pytest.mark.parametrize(
    "moment", [pytest.param(moment, marks=[] if moment in ALWAYS else pytest.mark.thorough) for moment in MOMENTS]
)
def test_an_interrupted_run_says_how_to_continue(moment: str, tmp_path: Path) -> None:
    output = tmp_path / "output"
    earlier = newest_log()
    process = start_ops("up", output=output, **TALKATIVE)
    seen = re.compile(MOMENTS[moment], re.MULTILINE)
    wait_for(lambda: process.poll() is not None or bool((log := newest_log()) != earlier and seen.search(log)), moment)
    assert process.poll() is None, f"ended before {moment}:\n{output.read_text()}"
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) == 130, output.read_text()
    assert "Interrupted in phase" in output.read_text()
    assert f"make cluster-up ENV={ENV}" in output.read_text()


def test_after_all_interrupts_it_completes(tmp_path: Path) -> None:
    output = tmp_path / "output"
    with secret_search.watched(secret_search.needles(secrets_dir(ENV))) as on_command_lines:
        assert start_ops("up", output=output, **TALKATIVE).wait(PATIENCE) == 0, output.read_text()
    assert on_command_lines == set()
    print(output.read_text())


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert start_ops("up", output=output).wait(PATIENCE) == 0, output.read_text()
    assert re.search(r"total .* changed=0", output.read_text()), output.read_text()
