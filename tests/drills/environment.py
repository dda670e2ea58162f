"""The environment of Molecule's scenario `cluster`, which the drills and the interruptions share.

With FILM_LIBRARY_INVENTORY=build/ENV/inventory.yml they run on another one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ops.paths import ROOT

ENV = Path(os.environ.get("FILM_LIBRARY_INVENTORY") or "build/molecule/inventory.yml").parent.name
#: A proxy that doesn't work, as a company's machine may have: hosts must not be reached through it.
DEAD_PROXY = "http://127.0.0.1:9"


def start_ops(*arguments: str, output: Path, **variables: str) -> subprocess.Popen[bytes]:
    """`python -m ops ...` with these variables, in a process group of its own, as a terminal would have it."""
    return subprocess.Popen(
        [sys.executable, "-m", "ops", *arguments],
        cwd=ROOT,
        env=os.environ | {"ENV": ENV, "http_proxy": DEAD_PROXY} | variables,
        stdin=subprocess.DEVNULL,
        stdout=output.open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
