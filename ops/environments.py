"""Virtual environments of programs that can't share .venv, because their requirements clash with its own."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from ops.locks import exclusive
from ops.paths import CACHE, REQUIREMENTS


def programs(name: str) -> Path:
    """The directory of programs of the environment with requirements/<name>.txt, which is recreated when that changes.

    Raises CalledProcessError if a package can't be installed.
    """
    lock, directory = REQUIREMENTS / f"{name}.txt", CACHE / name
    stamp = directory / "requirements.txt"
    with exclusive(name):
        if not stamp.exists() or stamp.read_text() != lock.read_text():
            print(f"creating an environment from requirements/{lock.name}", file=sys.stderr)
            venv.create(directory, clear=True, with_pip=True)
            pip = [str(directory / "bin/python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
            subprocess.run([*pip, "--require-hashes", "--no-compile", "--requirement", str(lock)], check=True)
            stamp.write_text(lock.read_text())  # last: without it, the next run starts over
    return directory / "bin"
