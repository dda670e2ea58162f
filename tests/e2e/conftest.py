"""Both apps served on loopback as they are deployed, and a real browser in front of them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from tour import PASSWORD, Site, Tour

from app.db import bulk, connection, derived, ranking, schema, users
from app.db.sample import Sample
from ops.artifacts import sample_wheel
from ops.local_cluster import LocalCluster

WELL_KNOWN = 200  # critics' reviews; some 400 films of the sample have as many
START_TIMEOUT = 20.0  # seconds

# What a browser does by itself (updates, sync, probes) has no place in a test.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, mongod: Path) -> Iterator[Site]:
    """The well-known films of the sample with their credits, an admin "boss", a superadmin "rootadmin"; both apps."""
    with ExitStack() as stack:
        directory = tmp_path_factory.mktemp("e2e")
        cluster = stack.enter_context(LocalCluster(directory / "mongodb", mongod=mongod, shards=0, members=1))
        connection.connect(connection.DatabaseConfig(uri=cluster.uri("film-library-admin")))
        schema.create_indexes()
        sample = Sample(sample_wheel())
        films = [film for film in sample.films() if (film["critics_reviews"] or 0) >= WELL_KNOWN]
        known = {film["_id"] for film in films}
        bulk.load("movies", enumerate(films))
        bulk.load("credits", enumerate(credit for credit in sample.credits() if credit["movie_id"] in known))
        ranking.recompute()
        derived.refresh()
        users.create_admin("boss", PASSWORD)
        users.create_admin("rootadmin", PASSWORD, superadmin=True)
        connection.disconnect()
        yield Site(
            user=stack.enter_context(served("user", cluster, directory)),
            admin=stack.enter_context(served("admin", cluster, directory)),
        )


@contextmanager
def served(name: str, cluster: LocalCluster, directory: Path) -> Iterator[str]:
    """One app under gunicorn; gives its address when it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "FILM_LIBRARY_MONGODB_URI": cluster.uri(f"film-library-{name}"),
        "FILM_LIBRARY_SECRET_KEY": "end-to-end-tests-secret-key-of-40-chars!",
        "FILM_LIBRARY_COOKIE_SECURE": "0",
        "FILM_LIBRARY_TRUSTED_HOSTS": "127.0.0.1",
    }
    command = [sys.executable, "-m", "gunicorn", f"app.{name}:create_app()", "--bind", f"127.0.0.1:{port}"]
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
            with urllib.request.urlopen(f"{address}/readyz", timeout=2):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)  # between two questions, not instead of one
    pytest.fail(f"{address} did not become ready:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or else the one that `playwright install chromium` puts into place."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def tour(site: Site, chromium: Browser) -> Iterator[Tour]:
    """Windows of one test. At its end none may have shown an error or broken the content security policy."""
    with Tour(site, chromium) as tour:
        yield tour
    assert tour.complaints == []
