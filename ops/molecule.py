"""Runs Molecule scenarios as phases: one line each with pytest's result, everything else goes to the log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from ops.children import child
from ops.paths import ROOT
from ops.progress import PhaseError, Progress
from ops.run import guarded

_RESULT = re.compile(r"=+ (.*\d+ passed.*?) =+")


def molecule(scenarios: list[str]) -> int:
    """Tests scenarios in order until one fails; returns the exit code."""

    def work(progress: Progress) -> int:
        for scenario in scenarios:
            with progress.phase(f"Molecule scenario {scenario}"):
                _test(scenario, progress)
        return 0

    advice = "`make cluster-down ENV=molecule` removes the remaining hosts."
    return guarded("molecule", work, advice=advice)


def _test(scenario: str, progress: Progress) -> None:
    tools = Path(sys.executable).parent
    command = [str(tools / "molecule"), "test", "--scenario-name", scenario]
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"}
    results = 0
    with child(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        for line in process.stdout or []:
            progress.log(line)
            if line.strip(" *\n"):
                progress.hint(line.strip(" *\n"))
            if found := _RESULT.search(line):
                results += 1
                progress.say(f"    {found[1]}")
        code = process.wait()
    if code != 0:
        raise PhaseError(f"molecule test --scenario-name {scenario} failed")
    if not results:
        raise PhaseError(f"molecule test --scenario-name {scenario} ran no tests")
