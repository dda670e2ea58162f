"""The command archive-changes as a process, for tests that watch, kill and restart it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ops.local_cluster import LocalCluster
from ops.processes import wait_for

SLICE_SECONDS = 1


class Archiver:
    """Archives the changes of a cluster's library into a directory, as a context manager: until SIGTERM."""

    def __init__(self, cluster: LocalCluster, directory: Path, public_key: str) -> None:
        self.directory, self.status_file = directory, directory.parent / "changes.json"
        self.log = directory.parent / "archiver.log"
        self._command = [sys.executable, "-m", "app.cli", "archive-changes", "--to", str(directory)]
        self._command += ["--public-key", public_key, "--status", str(self.status_file)]
        self._command += ["--slice-seconds", str(SLICE_SECONDS)]
        self._env = {**os.environ, "FILM_LIBRARY_MONGODB_URI": cluster.uri("film-library-backup")}
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(exist_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self.stop()
        assert error is not None or code == 0, self.log.read_text()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._env, stdout=log, stderr=log)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(60)

    def status(self) -> dict[str, Any]:
        return json.loads(self.status_file.read_text()) if self.status_file.exists() else {}

    def until(self) -> datetime:
        """The last second to which a restore can go."""
        return datetime.fromisoformat(self.status().get("covered_until", "2000-01-01T00:00:00+00:00"))

    def wait(self, moment: datetime | None = None) -> None:
        """Wait until all changes up to a moment, or now, are archived, and a full backup is there."""
        moment = moment or datetime.now(UTC)

        def reached() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            return self.until() >= moment - timedelta(seconds=1) and self.status()["gap"] is None and self.has_full()

        wait_for(f"changes until {moment}", reached)

    def has_full(self) -> bool:
        return any((path / "manifest.json").exists() for path in self.directory.iterdir())
