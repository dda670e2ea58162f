"""Runs the peers' programs, in their own environment. Only the mongod is shared."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from ops.environments import programs
from ops.paths import ROOT


def run(program: str, *arguments: str) -> Any:
    """Run `bench/peers/<program>.py` and parse the JSON that it prints. Raises CalledProcessError."""
    command = [str(programs("bench") / "python"), str(ROOT / "bench" / "peers" / f"{program}.py"), *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
