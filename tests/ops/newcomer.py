"""A user with a copy of the repository and their own shell who runs make."""

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

SECONDS = 120  # takes 8 on a quiet machine


@dataclass(frozen=True)
class Newcomer:
    """`shell` are changes to this process's environment variables (None removes one).

    `wrapped` is a command that runs make, and changes what isn't in the environment.
    """

    directory: Path
    shell: Mapping[str, str | None] = field(default_factory=dict)
    wrapped: tuple[str, ...] = ()
    umask: int = 0o022

    @classmethod
    def arrive(cls, directory: Path, *, umask: int = 0o022) -> Newcomer:
        """A user with a new copy of the repository in `directory`."""
        former = os.umask(umask)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            repository.copy_to(directory)
        finally:
            os.umask(former)
        return cls(directory, umask=umask)

    def having(self, **shell: str | None) -> Newcomer:
        """The same user with these variables, too."""
        return replace(self, shell={**self.shell, **shell})

    def within(self, *command: str) -> Newcomer:
        """The same user, whose make is run by a command."""
        return replace(self, wrapped=command)

    @property
    def environment(self) -> dict[str, str]:
        # Without the variables that bin/shell sets for the tests.
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
        """Starts `make WORDS`, detached from this terminal."""
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
        """Runs `make WORDS`; stdout and stderr are combined."""
        with self.begin(*words) as process:
            output, _ = process.communicate(timeout=SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, output)


def with_ssh_directory(directory: Path) -> list[str]:
    """A prefix for a command that sees `directory` as this user's ~/.ssh; other processes don't.

    ssh reads its configuration from the home directory in the user database, not from HOME.
    """
    user = pwd.getpwuid(os.getuid())
    place = Path(user.pw_dir) / ".ssh"
    place.mkdir(mode=0o700, exist_ok=True)
    # Only the file system with the home becomes private, because podman's mounts must be visible outside.
    script = (
        f'mount --make-private "$(findmnt --noheadings --output TARGET --target {place})" && '
        f"mount --bind {shlex.quote(str(directory))} {place} && "
        f'exec setpriv --reuid={user.pw_uid} --regid={user.pw_gid} --init-groups env PATH="$0" "$@"'
    )
    root = [] if user.pw_uid == 0 else ["sudo", "-n", "-E"]
    return [*root, "unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script, os.environ["PATH"]]


@contextmanager
def mounted(directory: Path, options: str) -> Iterator[Path]:
    """Mounts a tmpfs with options for mount(8)."""
    directory.mkdir()
    subprocess.run(podman.as_root("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)), check=True)
    try:
        yield directory
    finally:
        subprocess.run(podman.as_root("umount", str(directory)), check=True)
