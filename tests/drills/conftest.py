"""Drills on a whole cluster in an environment of the tests' own, so that nobody's cluster is touched.

The files run in the order of their names: the first builds the cluster while being interrupted, the others hurt it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ops.paths import ROOT, build_dir
from tests.deployed import INVENTORY_VARIABLE
from tests.deployed_fixtures import deployment, inventory

ENV = "test"
#: What many companies' machines have; hosts must not be asked through it.
NO_PROXY_THERE = "http://127.0.0.1:9"
os.environ[INVENTORY_VARIABLE] = str(build_dir(ENV) / "inventory.yml")

__all__ = ["deployment", "inventory"]


def start_ops(*arguments: str, output: Path) -> subprocess.Popen[bytes]:
    """`python -m ops ...` for the drills' environment, in a process group of its own, as a terminal would have it."""
    return subprocess.Popen(
        [sys.executable, "-m", "ops", *arguments],
        cwd=ROOT,
        env=os.environ | {"ENV": ENV, "http_proxy": NO_PROXY_THERE},
        stdin=subprocess.DEVNULL,
        stdout=output.open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
