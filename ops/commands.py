"""Runs the `film-library` command on the controller, as cluster-admin through a forwarded socket of the router.

Other processes can't see the password and the key of backups: they are in files that only this user can read, and that
are gone afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import yaml

from ops import certificates, secrets, stores
from ops.children import child
from ops.fleet import Fleet
from ops.paths import ANSIBLE, ROOT, build_dir
from ops.progress import PhaseError, Progress
from ops.topology import MONGOS_PORT

ADMIN = "cluster_admin"
_DATABASE: str = yaml.safe_load((ANSIBLE / "group_vars/all/database.yml").read_text())["cluster_database"]
_SHOWN_LINES = 15
REJECTED = 3  # the command's exit code


@dataclass(frozen=True)
class Commands:
    """`key` is a readable file with the private key of backups, `store` where they are."""

    environment: Mapping[str, str]
    progress: Progress
    store: str
    key: Path

    def run(self, *arguments: str) -> str:
        """Runs `film-library ARGUMENTS`; its lines are hints, and go to the log. Returns its last line.

        Raises PhaseError with what it said.
        """
        lines, code = self._run(arguments)
        if code != 0:
            raise PhaseError(f"film-library {arguments[0]} failed", lines[-_SHOWN_LINES:])
        return lines[-1] if lines else ""

    def lines(self, *arguments: str) -> tuple[list[str], bool]:
        """As `run`; all lines, and whether there were records that it had to leave. Raises PhaseError."""
        lines, code = self._run(arguments)
        if code not in (0, REJECTED):
            raise PhaseError(f"film-library {arguments[0]} failed", lines[-_SHOWN_LINES:])
        return lines, code == REJECTED

    def _run(self, arguments: tuple[str, ...]) -> tuple[list[str], int]:
        self.progress.log(f"$ film-library {' '.join(arguments)}")
        command = [sys.executable, "-m", "app.cli", *arguments]
        output: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        lines = []
        with child(command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, **output) as process:
            assert process.stdout is not None  # noqa: S101 - a pipe
            for line in map(str.strip, process.stdout):
                self.progress.log(line)
                self.progress.hint(" ".join(line.split()))
                lines.append(line)
        return lines, process.wait()


def show_access(commands: Commands, backup: str) -> None:
    """Says which of the database's roles and users are otherwise than in a backup, which no restore changes."""
    found, _ = commands.lines("compare-access", commands.store, backup)
    for difference in found:
        commands.progress.say(f"  not as in the backup: {difference}")


@contextmanager
def on_router(env: str, hosts: Fleet, progress: Progress) -> Iterator[Commands]:
    """Commands for the cluster of an environment, and its backups. Raises OpsError."""
    password = secrets.load_passwords(env)[ADMIN]
    tls = certificates.controller_options(secrets.authority(env), build_dir(env))
    options = urlencode({name: "true" if value is True else value for name, value in tls.items()})
    router = hosts.endpoint(hosts.groups["mongos"][0], MONGOS_PORT)
    name = ADMIN.replace("_", "-")
    uri = f"mongodb://{name}:{quote_plus(password)}@{router}/?authSource=admin&{options}"
    with with_key(env, {"FILM_LIBRARY_MONGODB_URI": uri}, progress) as commands:
        yield commands


@contextmanager
def with_key(env: str, settings: Mapping[str, str], progress: Progress) -> Iterator[Commands]:
    """Commands with an environment's backups and their key; `settings` are passed in private files. Raises OpsError."""
    key = secrets.read(stores.key_file(env))
    with tempfile.TemporaryDirectory(prefix="film-library-") as name:  # has mode 0700
        directory = Path(name)
        secrets.write_private(directory / stores.KEY, key)
        files = {}
        for setting, value in settings.items():
            secrets.write_private(directory / setting, value)
            files[f"{setting}_FILE"] = str(directory / setting)
        environment = {**os.environ, "FILM_LIBRARY_DATABASE": _DATABASE, "COLUMNS": "120", **files}
        yield Commands(environment, progress, stores.place(env), directory / stores.KEY)
