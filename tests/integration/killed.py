"""The command `film-library` in a process of its own that ends, as by `kill -9`, before one of its steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from ops.local_cluster import LocalCluster

# Arguments: the number of steps, the functions that are steps, other values of constants; then the command's.
_PROGRAM = """
import importlib, json, os, sys
from functools import reduce
from app.cli import main
left, steps, settings = (json.loads(sys.argv.pop(1)) for _ in range(3))
def owner(path):
    module, _, name = path.partition(":")
    *names, last = name.split(".")
    return reduce(getattr, names, importlib.import_module(module)), last
def die_later(act):
    def counted(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return act(*arguments, **named)
    return counted
for path, value in settings.items():
    setattr(*owner(path), value)
for path in steps:
    setattr(*owner(path), die_later(getattr(*owner(path))))
main()
"""


def run_and_kill(
    cluster: LocalCluster,
    after: int,
    steps: Sequence[str],
    *arguments: object,
    settings: Mapping[str, int] | None = None,
    user: str = "cluster-admin",
) -> None:
    """Run a command, and kill it after so many `steps`: calls of functions `module:name`. `settings` are constants."""
    words = [json.dumps(value) for value in (after, list(steps), dict(settings or {}))]
    env = {**os.environ, "FILM_LIBRARY_MONGODB_URI": cluster.uri(user)}
    command = [sys.executable, "-c", _PROGRAM, *words, *map(str, arguments)]
    killed = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert killed.returncode == 9, killed.stdout + killed.stderr
