"""Somebody with a copy of the repository and a shell of their own, who types make."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ops import podman
from tests import repository

SECONDS = 120  # for what takes 8 on a quiet machine


@dataclass(frozen=True)
class Newcomer:
    """`shell` is what the person's environment has beside this process's own (None takes a variable away).

    `wrapped` is put before make: a program that changes what isn't in the environment.
    """

    directory: Path
    shell: Mapping[str, str | None] = field(default_factory=dict)
    wrapped: tuple[str, ...] = ()
    umask: int = 0o022

    @classmethod
    def arrive(cls, directory: Path, *, umask: int = 0o022) -> Newcomer:
        """With a new copy of the repository in `directory`."""
        former = os.umask(umask)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            repository.copy_to(directory)
        finally:
            os.umask(former)
        return cls(directory, umask=umask)

    def having(self, **shell: str | None) -> Newcomer:
        """The same person with these variables, too."""
        return replace(self, shell={**self.shell, **shell})

    def within(self, *command: str) -> Newcomer:
        """The same person, whose make is started by a command."""
        return replace(self, wrapped=command)

    @property
    def environment(self) -> dict[str, str]:
        # Not what bin/shell made for the tests: a newcomer's shell knows nothing of it.
        made = ("FILM_LIBRARY_", "ANSIBLE_", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "LC_", "LANG", "MAKE", "MFLAGS")
        own = {name: value for name, value in os.environ.items() if not name.startswith(made)}
        for name, value in self.shell.items():
            if value is None:
                own.pop(name, None)
            else:
                own[name] = value
        return own

    @contextmanager
    def begin(self, *words: str, stdin: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[str]]:
        """Starts `make WORDS` apart from this terminal."""
        with subprocess.Popen(
            [*self.wrapped, "make", "--no-print-directory", *words],
            cwd=self.directory,
            env=self.environment,
            umask=self.umask,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            yield process

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs `make WORDS` to its end; its output is both streams'."""
        with self.begin(*words) as process:
            output, _ = process.communicate(timeout=SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, output)


def with_ssh_directory(directory: Path) -> list[str]:
    """What to put before a command for which `directory` lies over this user's ~/.ssh; nobody else sees it there.

    ssh reads its configuration in the home that the user database names, whatever HOME says.
    """
    user = pwd.getpwuid(os.getuid())
    place = Path(user.pw_dir) / ".ssh"
    place.mkdir(mode=0o700, exist_ok=True)
    # Mounts of podman's must be seen outside, or it fails there: only the file system with the home is made private.
    script = (
        f'mount --make-private "$(findmnt --noheadings --output TARGET --target {place})" && '
        f"mount --bind {shlex.quote(str(directory))} {place} && "
        f'exec setpriv --reuid={user.pw_uid} --regid={user.pw_gid} --init-groups env PATH="$0" "$@"'
    )
    root = [] if user.pw_uid == 0 else ["sudo", "-n", "-E"]
    return [*root, "unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script, os.environ["PATH"]]


@contextmanager
def mounted(directory: Path, options: str) -> Iterator[Path]:
    """A tmpfs on a directory, with the options of mount(8)."""
    directory.mkdir()
    subprocess.run(podman.as_root("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)), check=True)
    try:
        yield directory
    finally:
        subprocess.run(podman.as_root("umount", str(directory)), check=True)
