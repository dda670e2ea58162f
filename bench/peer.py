"""Runs the peers' programs, in their own environment. Only the mongod is shared."""

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
    """Run `bench/peers/<program>.py` and parse the JSON that it prints. Raises CalledProcessError."""
    command = [str(_python()), str(ROOT / "bench" / "peers" / f"{program}.py"), *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _python() -> Path:
    """The Python of an environment with requirements/bench.txt, recreated when that changes."""
    python, stamp = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != LOCK.read_text():
        print("creating the peers' environment from requirements/bench.txt", file=sys.stderr)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "--requirement", str(LOCK)], check=True)
        stamp.write_text(LOCK.read_text())
    return python
