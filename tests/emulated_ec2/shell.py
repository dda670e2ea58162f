"""Commands that need root, and the prefix of all the emulation's names."""

from __future__ import annotations

import subprocess

from ops import podman

#: The prefix of all containers, network namespaces, interfaces and files, which are removed at the end.
PREFIX = "emulated-ec2-"


class EmulationError(RuntimeError):
    """The emulation failed; the message has the command and its output."""


def root(*command: str, stdin: str = "") -> str:
    """Runs the command as root and returns its output. Raises EmulationError if it fails."""
    result = subprocess.run(podman.as_root(*command), input=stdin, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise EmulationError(f"{' '.join(command)}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout
