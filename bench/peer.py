"""The peer's own environment, and how its programs are run. It shares the mongod, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from ops.paths import CACHE, REQUIREMENTS, ROOT

ENVIRONMENT = CACHE / "bench"
LOCK = REQUIREMENTS / "bench.txt"


def run(program: str, *arguments: str) -> Any:
    """Run `bench/peers/<program>.py`; what it prints is JSON. Raises CalledProcessError, its output shown."""
    command = [str(_python()), str(ROOT / "bench" / "peers" / f"{program}.py"), *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _python() -> Path:
    """Python with what requirements/bench.txt locks; made anew when that changes."""
    python, stamp = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != LOCK.read_text():
        print("making the peer's environment out of requirements/bench.txt", file=sys.stderr)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "--requirement", str(LOCK)], check=True)
        stamp.write_text(LOCK.read_text())
    return python
