"""`make dev`: the cluster as plain processes on loopback, with the sample films and both apps (which reload)."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pymongo.errors import PyMongoError

from ops.artifacts import ArtifactError, mongod_path, sample_wheel
from ops.local_cluster import LocalCluster
from ops.paths import ROOT
from ops.processes import Process, StartError, port_is_free

APPS = {"user": 8000, "admin": 8001}
TOPOLOGIES = {"compact": (2, 3), "single": (0, 1)}  # shards, and members of every replica set
# The superadmin has to set up a second factor at each `make dev`.
ADMINS = (("admin",), ("superadmin", "--superadmin"))


class DevError(RuntimeError):
    """`make dev` failed; the message says why and what to do."""


def dev(topology: str = "compact") -> int:
    """Start everything, wait for Ctrl-C, stop everything and delete its data.

    Args:
        topology: "compact" for two shards with three members and a router, "single" for one mongod.

    Returns:
        Exit code: 0 after Ctrl-C, 1 if something didn't start or ended by itself, 2 if it can't run.
    """
    if topology not in TOPOLOGIES:
        print(f"TOPOLOGY={topology}: must be one of {', '.join(TOPOLOGIES)} for make dev", file=sys.stderr)
        return 2
    taken = [port for port in APPS.values() if not port_is_free(port)]
    if taken:
        print(
            f"make dev: port {', '.join(map(str, taken))} on loopback is in use; stop the program that listens there",
            file=sys.stderr,
        )
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` cleans up as Ctrl-C does
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:5.1f} s] {what}", flush=True)

    try:
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="film-library-dev-")))
            shards, members = TOPOLOGIES[topology]
            cluster = stack.enter_context(
                LocalCluster(
                    directory / "cluster",
                    mongod=mongod_path(),
                    shards=shards,
                    members=members,
                    say=say,
                )
            )
            deploy, admin = (
                {"FILM_LIBRARY_MONGODB_URI": cluster.uri(f"film-library-{name}")} for name in ("deploy", "admin")
            )
            say("loading the sample catalogue")
            _film_library(deploy, "init-db")
            _film_library(deploy, "load-sample", "--source", str(sample_wheel()))
            password = secrets.token_urlsafe(12)
            password_file = directory / "admin-password"
            password_file.touch(mode=0o600)
            password_file.write_text(password)
            for name, *options in ADMINS:
                options += ["--keep-password", "--password-file", str(password_file)]
                _film_library(admin, "create-admin", name, *options)
            monitor = {"admin": {"FILM_LIBRARY_MONITOR_URI": cluster.uri("monitor")}}
            apps = [
                stack.enter_context(
                    _app(name, port, cluster.uri(f"film-library-{name}"), directory, monitor.get(name, {}))
                )
                for name, port in APPS.items()
            ]
            say("ready; Ctrl-C stops everything and deletes the data")
            print(f"  user app   http://localhost:{APPS['user']}/")
            names = " or ".join(name for name, *_ in ADMINS)
            print(f"  admin app  http://localhost:{APPS['admin']}/   log in as {names} / {password}")
            print(f"  database   {cluster.uri('film-library-admin')}", flush=True)
            _watch([*cluster.processes, *apps])
    except (ArtifactError, StartError, DevError, PyMongoError) as error:
        print(f"make dev: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("stopped, data deleted")
        return 0
    return 1


def _environment(settings: dict[str, str]) -> dict[str, str]:
    return {**os.environ, "FILM_LIBRARY_DATABASE": "movie_library", "FILM_LIBRARY_COOKIE_SECURE": "0", **settings}


def _film_library(settings: dict[str, str], *arguments: str) -> None:
    """Run the `film-library` command, which prints its progress to the terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments], check=False, cwd=ROOT, env=_environment(settings)
    )
    if done.returncode:
        raise DevError(f"film-library {arguments[0]} failed with exit code {done.returncode}")


@contextmanager
def _app(name: str, port: int, uri: str, directory: Path, more: dict[str, str]) -> Iterator[Process]:
    """A Flask app in its development server, which reloads changed code. No debugger, because that runs code."""
    settings = {"FILM_LIBRARY_MONGODB_URI": uri, "FILM_LIBRARY_SECRET_KEY": secrets.token_urlsafe(32), **more}
    argv = [sys.executable, "-m", "flask", "--app", f"app.{name}:create_app", "run"]
    argv += ["--host", "localhost", "--port", str(port), "--reload", "--no-debugger"]
    process = Process(f"{name} app", argv, port, directory / f"{name}.log", environment=_environment(settings))
    process.start()
    try:
        process.wait_until_listening()
        yield process
    finally:
        process.stop()


def _watch(processes: list[Process]) -> None:
    """Never return; raise DevError once a process has ended by itself."""
    while True:
        for process in processes:
            if not process.alive():
                raise DevError(f"{process.name} ended by itself:\n{process.last_words()}")
        # The interval at which crashes are noticed; Ctrl-C interrupts the wait.
        signal.sigtimedwait([], 0.5)
