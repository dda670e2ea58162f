"""Both apps served on loopback as deployed, and a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, sync_playwright
from serving import served
from tour import PASSWORD, Site, Tour

from app.db.accounts import administrators, second_factor
from app.db.core import Actor, connection
from app.db.films import ranking
from app.db.records import bulk
from app.db.schema import create_indexes
from app.db.search import derived
from app.db.transfer import Sample
from ops.artifacts import sample_wheel
from ops.local_cluster import LocalCluster

WELL_KNOWN = 200  # critics' reviews; some 400 films of the sample have that many

# Without the browser's own traffic (updates, sync, probes).
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
]


@pytest.fixture(scope="session")
def cluster(data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    """The well-known films of the sample with their credits, and an admin "boss"."""
    with LocalCluster(data_directory / "e2e", mongod=mongod, shards=0, members=1) as cluster:
        connection.connect(connection.DatabaseConfig(uri=cluster.uri("film-library-deploy")))
        create_indexes()
        connection.connect(connection.DatabaseConfig(uri=cluster.uri("film-library-admin")))
        sample = Sample(sample_wheel())
        films = [film for film in sample.films() if (film["critics_reviews"] or 0) >= WELL_KNOWN]
        known = {film["_id"] for film in films}
        bulk.load("movies", enumerate(films))
        bulk.load("credits", enumerate(credit for credit in sample.credits() if credit["movie_id"] in known))
        ranking.recompute()
        derived.refresh()
        administrators.ensure("boss", PASSWORD, expired=False)
        connection.disconnect()
        yield cluster


@pytest.fixture(scope="session")
def recovery_codes(cluster: LocalCluster) -> list[str]:
    """Of a superadmin "rootadmin" with a second factor."""
    connection.connect(connection.DatabaseConfig(uri=cluster.uri("film-library-admin")))
    root, _ = administrators.ensure("rootadmin", PASSWORD, superadmin=True, expired=False)
    secret = second_factor.new_secret()
    codes = second_factor.set_up(Actor(root["_id"], "rootadmin"), secret, pyotp.TOTP(secret).now())
    connection.disconnect()
    assert codes
    return codes


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, cluster: LocalCluster, recovery_codes: list[str]) -> Iterator[Site]:
    """Both apps on the films of `cluster`."""
    directory = tmp_path_factory.mktemp("e2e")
    with ExitStack() as stack:
        yield Site(
            user=stack.enter_context(served("user", cluster, directory)),
            admin=stack.enter_context(served("admin", cluster, directory)),
            recovery_codes=recovery_codes,
        )


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or else the one from `playwright install chromium`."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def tour(site: Site, chromium: Browser) -> Iterator[Tour]:
    """The windows of a test. None may log an error or violate the content security policy."""
    with Tour(site, chromium) as tour:
        yield tour
    assert tour.complaints == []
