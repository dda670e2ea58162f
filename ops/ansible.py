"""Runs playbooks. Plays become phases, tasks become hints, and the full output goes to the log."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ops.children import child
from ops.paths import ANSIBLE, ROOT
from ops.progress import PhaseError, Progress

_CALLBACKS = Path(__file__).parent / "callback"


def play(
    playbooks: list[str], inventories: list[Path], progress: Progress, check: bool = False, /, **variables: str | bool
) -> Run:
    """Runs playbooks from ansible/ in order, inside the running phase; each play becomes a phase.

    With `check` they only look what they would do.

    Raises PhaseError with the failed hosts, tasks and messages.
    """
    command = [str(Path(sys.executable).with_name("ansible-playbook"))]
    command += [f"--inventory={inventory}" for inventory in inventories]
    command += ["--check"] if check else []
    for name, value in variables.items():
        command += ["--extra-vars", json.dumps({name: value})]
    reader, writer = os.pipe()
    environment = os.environ | {
        "ANSIBLE_CALLBACK_PLUGINS": str(_CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "film_library_events,ansible.posix.profile_tasks",
        "ANSIBLE_NOCOLOR": "1",
        "FILM_LIBRARY_EVENTS": f"/dev/fd/{writer}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    output: dict[str, Any] = {"stdout": progress.log_file, "stderr": progress.log_file}
    run = Run(progress)
    with (
        child([*command, *playbooks], cwd=ANSIBLE, env=environment, pass_fds=(writer,), **output) as process,
        os.fdopen(reader) as events,
    ):
        os.close(writer)  # so that reading ends when the child does
        for line in events:
            run.handle(json.loads(line))
        code = process.wait()
    if code != 0:
        names = ", ".join(str((ANSIBLE / playbook).relative_to(ROOT)) for playbook in playbooks)
        raise PhaseError(f"{names} failed", run.failures or None)
    return run


class Run:
    """The result of a run: number of `changed` tasks on all hosts, failures, and the hosts' reports."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._plays = 0
        self.changed = 0
        self.failures: list[str] = []
        self._reports: dict[tuple[str, ...], list[str]] = {}  # lines -> the hosts that reported exactly these

    def handle(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "play":
                self._plays += 1
                if self._plays == 1:
                    self._progress.rename(event["name"])
                else:
                    self._progress.next_phase(event["name"])
            case "task":
                self._progress.hint(event["name"])
            case "report":
                self._reports.setdefault(tuple(event["lines"]), []).append(event["host"])
            case "failed":
                self.failures += [f"{event['host']}: {event['task']}"]
                self.failures += [f"    {line}" for line in event["message"].splitlines()]
            case "stats":
                self.changed = sum(host["changed"] for host in event["hosts"].values())  # in all playbooks so far

    def show_reports(self) -> None:
        """Prints the hosts' reports; equal ones once."""
        for lines, hosts in self._reports.items():
            self._progress.say(f"\n  {', '.join(sorted(hosts))}:")
            for line in lines:
                self._progress.say(f"    {line}")
