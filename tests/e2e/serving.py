"""Serves the apps on loopback as deployed: under gunicorn, in their own process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.local_cluster import LocalCluster

START_TIMEOUT = 60.0  # seconds


@contextmanager
def served(name: str, cluster: LocalCluster, directory: Path, factory: str | None = None) -> Iterator[str]:
    """One app under gunicorn, from its own or another factory. Yields its address when it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "FILM_LIBRARY_MONGODB_URI": cluster.uri(f"film-library-{name}"),
        "FILM_LIBRARY_SECRET_KEY": "end-to-end-tests-secret-key-of-40-chars!",
        "FILM_LIBRARY_COOKIE_SECURE": "0",
        "FILM_LIBRARY_TRUSTED_HOSTS": "127.0.0.1,localhost",
    }
    command = [sys.executable, "-m", "gunicorn", factory or f"app.{name}:create_app()", "--bind", f"127.0.0.1:{port}"]
    command += ["--threads", "4", "--no-control-socket"]
    with (directory / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_ready(process, address, Path(log.name))
            yield address
        finally:
            process.terminate()
            process.wait(20)


def wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2):  # noqa: S310 - http, to a server started here
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)  # between two checks
    pytest.fail(f"{address} did not become ready:\n{log.read_text()[-3000:]}")
