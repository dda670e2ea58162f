"""The repository's own files, and copies of it to run in. There need be no git: people unpack archives, too."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

from ops.paths import CACHE, ROOT


def files(root: Path = ROOT) -> list[Path]:
    """Every file below `root` that no .gitignore leaves out, as paths relative to it, sorted."""
    return sorted(path.relative_to(root) for path in _walk(root, []))


def _walk(directory: Path, specs: list[tuple[Path, GitIgnoreSpec]]) -> Iterator[Path]:
    if (directory / ".gitignore").exists():
        specs = [*specs, (directory, GitIgnoreSpec.from_lines((directory / ".gitignore").read_text().splitlines()))]
    for entry in directory.iterdir():
        is_directory = entry.is_dir() and not entry.is_symlink()
        suffix = "/" if is_directory else ""
        if entry.name == ".git" or any(spec.match_file(f"{entry.relative_to(top)}{suffix}") for top, spec in specs):
            continue
        if is_directory:
            yield from _walk(entry, specs)
        else:
            yield entry


def copy_to(directory: Path) -> None:
    """Copies the repository into a directory, with the environment and the downloads of this one, but no state.

    Modes are those that the process's umask gives, as with a clone.
    """
    mask = os.umask(0)
    os.umask(mask)
    for name in files():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target, follow_symlinks=False)
        if not target.is_symlink():
            target.chmod((0o777 if os.access(target, os.X_OK) else 0o666) & ~mask)
    (directory / ".venv").symlink_to(ROOT / ".venv")
    (directory / ".cache").mkdir()
    for entry in CACHE.iterdir():
        if entry.suffix != ".lock" and entry.name != "ansible":  # each copy has runs of its own
            (directory / ".cache" / entry.name).symlink_to(entry)
    (directory / ".cache/home").mkdir(exist_ok=True)  # bin/shell's, and not everybody may make it
