"""Commands that need root, and what everything of the emulation is called."""

from __future__ import annotations

import subprocess

from ops import podman

#: Starts the name of every container, network namespace, interface and file; what bears it is removed at the end.
PREFIX = "emulated-ec2-"


class EmulationError(RuntimeError):
    """The emulation can't do what it is for; the message holds the command and what it said."""


def root(*command: str, stdin: str = "") -> str:
    """Runs the command as root and returns what it printed. Raises EmulationError when it fails."""
    result = subprocess.run(podman.as_root(*command), input=stdin, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise EmulationError(f"{' '.join(command)}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout
