"""Directories that the controller uses."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ANSIBLE = ROOT / "ansible"
CACHE = ROOT / ".cache"
LOGS = ROOT / "logs"
REQUIREMENTS = ROOT / "requirements"


def build_dir(env: str) -> Path:
    """An environment's generated files, such as the inventory; runs recreate them."""
    return ROOT / "build" / env


def backups_dir(env: str) -> Path:
    """Backups that were fetched from an environment's hosts; `make backup` alone removes old ones."""
    return ROOT / "backups" / env


def secrets_dir(env: str) -> Path:
    """An environment's keys and passwords; created once, never overwritten."""
    return ROOT / "secrets" / env
