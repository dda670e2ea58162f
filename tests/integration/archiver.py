"""The command archive-changes as a process, for tests that watch, kill and restart it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from backup_library import LIBRARY
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ops.local_cluster import LocalCluster
from ops.processes import wait_for

SLICE_SECONDS = 1
TICK_SECONDS = 0.3

INTO = "restored_library"


def arguments(directory: Path, key: tuple[Path, str], at: str = "latest") -> list[object]:
    """Of the command that restores all changes, or those up to a second."""
    return ["restore", directory, "latest", "--key", key[0], "--into", INTO, "--at", at]


def write(client: MongoClient[dict[str, Any]], number: int) -> None:
    """An insert and an update."""
    client[LIBRARY].numbers.insert_one({"_id": number})
    client[LIBRARY].numbers.update_one({"_id": 0}, {"$push": {"seen": number}}, upsert=True)


class Ticker(threading.Thread):
    """Lets idle replica sets note the time, as they do every 10 s: only then do they know that nothing has happened."""

    def __init__(self, cluster: LocalCluster) -> None:
        super().__init__(daemon=True)
        self._cluster, self._stop_event = cluster, threading.Event()

    def run(self) -> None:
        with ExitStack() as stack:
            sets = [one.name for one in self._cluster.replica_sets if one.cluster_role != "configsvr"]
            router = self._cluster.router
            clients = [self._cluster.shard_client(name) if router else self._cluster.client() for name in sets]
            for client in clients:
                stack.enter_context(client)
            while not self._stop_event.wait(TICK_SECONDS):
                for client in clients:
                    with suppress(PyMongoError):  # an election
                        client.admin.command("appendOplogNote", 1, data={"msg": "tick"})

    def stop(self) -> None:
        self._stop_event.set()
        self.join()


class Archiver:
    """Archives the changes of a cluster's library into a directory, as a context manager: until SIGTERM."""

    def __init__(self, cluster: LocalCluster, directory: Path, public_key: str, *, state: Path | None = None) -> None:
        """`state` is the directory of status, lock and log."""
        state = state or directory.parent
        state.mkdir(exist_ok=True)
        self.directory, self.status_file = directory, state / "changes.json"
        self.log = state / "archiver.log"
        self._command = [sys.executable, "-m", "app.cli", "archive-changes", "--to", str(directory)]
        self._command += ["--public-key", public_key, "--status", str(self.status_file)]
        self._command += ["--slice-seconds", str(SLICE_SECONDS)]
        self._env = {**os.environ, "FILM_LIBRARY_MONGODB_URI": cluster.uri("film-library-backup")}
        self._process: subprocess.Popen[bytes] | None = None
        self._cluster = cluster
        directory.mkdir(exist_ok=True)

    def __enter__(self) -> Self:
        self._ticker = Ticker(self._cluster)
        self._ticker.start()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.finished() is None:
            code = self.stop()
            assert error is not None or code == 0, self.log.read_text()
        self._ticker.stop()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._env, stdout=log, stderr=log)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(60)

    def finished(self) -> int | None:
        """The exit code, if it has ended."""
        assert self._process is not None
        return self._process.poll()

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

    def back_up(self) -> None:
        """Make another full backup, as the timer does."""
        command = [self._command[0], "-m", "app.cli", "backup", *self._command[4:8]]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    def has_full(self) -> bool:
        return any((path / "manifest.json").exists() for path in self.directory.iterdir())
