"""Where the controller keeps things; every path below the repository is named here and nowhere else."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ANSIBLE = ROOT / "ansible"
CACHE = ROOT / ".cache"
LOGS = ROOT / "logs"
REQUIREMENTS = ROOT / "requirements"


def build_dir(env: str) -> Path:
    """What a run generates for an environment and may lose: the inventory."""
    return ROOT / "build" / env


def secrets_dir(env: str) -> Path:
    """Keys and passwords of an environment; created once, never overwritten."""
    return ROOT / "secrets" / env
