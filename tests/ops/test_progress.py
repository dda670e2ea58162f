"""A run's output: phases, the relevant lines of the log on failure, a clean end on Ctrl-C."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ops import ansible, paths
from ops.progress import PhaseError, Progress

PLAYBOOK = """
- name: First play
  hosts: all
  gather_facts: false
  tasks:
    - name: Change something
      ansible.builtin.command: "true"
    - name: Report
      ansible.builtin.debug: {msg: "{{ ['skipped:', 'no clock here'] if reporting | default(false) | bool else [] }}"}
      when: reporting | default(false) | bool
- name: Second play
  hosts: all
  gather_facts: false
  tasks:
    - name: Break
      ansible.builtin.fail: {msg: the disk is on fire}
      when: broken | default(false) | bool
    - name: Break with a secret
      ansible.builtin.command: {argv: [sh, -c, 'echo $0; exit 1', "{{ 'hunter' ~ 2 }}"]}
      no_log: true
      when: leaking | default(false) | bool
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.yml"
    path.write_text(
        f"all: {{hosts: {{here: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}}}}}"
    )
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    return path


def play(inventory: Path, progress: Progress, times: int = 1, **variables: str) -> ansible.Run:
    playbook = inventory.with_name("play.yml")
    relative = os.path.relpath(playbook, paths.ANSIBLE)
    with progress.phase("Ansible"):
        return ansible.play([relative] * times, [inventory], progress, **variables)


def test_each_play_is_a_phase_with_its_duration(inventory: Path, tmp_path: Path) -> None:
    stream = io.StringIO()
    progress = Progress(tmp_path / "run.log", stream)
    assert play(inventory, progress).changed == 1
    assert list(progress.seconds) == ["First play", "Second play"]
    assert re.fullmatch(r"  First play +\d+\.\d s\n  Second play +\d+\.\d s\n", stream.getvalue())
    assert "TASK [Change something]" in (tmp_path / "run.log").read_text()
    assert (tmp_path / "run.log").stat().st_mode & 0o077 == 0


def test_the_changes_of_several_playbooks_add_up(inventory: Path, tmp_path: Path) -> None:
    progress = Progress(tmp_path / "run.log", io.StringIO())
    assert play(inventory, progress, times=2).changed == 2


def test_hosts_reports_are_shown(inventory: Path, tmp_path: Path) -> None:
    stream = io.StringIO()
    play(inventory, Progress(tmp_path / "run.log", stream), reporting="yes").show_reports()
    assert stream.getvalue().endswith("\n  here:\n    skipped:\n    no clock here\n")


def test_a_failure_names_host_task_and_message(inventory: Path, tmp_path: Path) -> None:
    progress = Progress(tmp_path / "run.log", io.StringIO())
    with pytest.raises(PhaseError) as failed:
        play(inventory, progress, broken="yes")
    assert failed.value.lines == ["here: Break", "    the disk is on fire"]
    assert progress.current == "Second play"
    assert list(progress.seconds) == ["First play"]


def test_a_failed_tasks_secret_is_not_shown(inventory: Path, tmp_path: Path) -> None:
    progress = Progress(tmp_path / "run.log", io.StringIO())
    with pytest.raises(PhaseError) as failed:
        play(inventory, progress, leaking="yes")
    assert failed.value.lines is not None
    assert failed.value.lines[0] == "here: Break with a secret"
    assert "hunter2" not in "".join(failed.value.lines) + (tmp_path / "run.log").read_text()


def test_a_playbooks_syntax_error_is_in_the_tail(inventory: Path, tmp_path: Path) -> None:
    inventory.with_name("play.yml").write_text("- name: broken\n  hosts: all\n  tusks: []\n")
    progress = Progress(tmp_path / "run.log", io.StringIO())
    with pytest.raises(PhaseError) as failed:
        play(inventory, progress)
    assert failed.value.lines is None
    assert "tusks" in "\n".join(progress.tail())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_the_running_phase_with_its_hint(tmp_path: Path) -> None:
    stream = Terminal()
    progress = Progress(tmp_path / "run.log", stream)
    deadline = time.monotonic() + 5
    with progress.phase("Hosts"):
        progress.hint("starting mongo-1")
        while "starting mongo-1" not in stream.getvalue():
            assert time.monotonic() < deadline
    assert stream.getvalue().splitlines()[-1].split("\x1b[2K")[-1].startswith("  Hosts ")
    assert "starting mongo-1" not in stream.getvalue().split("\x1b[2K")[-1]


# A child that takes a moment to clean up, run by a process that the test interrupts.
INTERRUPTED = textwrap.dedent(
    """
    import sys
    from ops import children
    child = '''
    import pathlib, sys, time
    directory = pathlib.Path(sys.argv[1])
    try:
        (directory / "started").touch()
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(0.5)
        (directory / "cleaned").touch()
    '''
    try:
        children.run([sys.executable, "-c", child, sys.argv[1]])
    except KeyboardInterrupt:
        sys.exit(130)
    """
)


def test_ctrl_c_ends_the_child_and_waits_for_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    with subprocess.Popen(command, cwd=paths.ROOT) as process:
        deadline = time.monotonic() + 20
        while not (tmp_path / "started").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    assert (tmp_path / "cleaned").exists()
