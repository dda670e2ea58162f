"""What a browser shows while the database is away, and when it is back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from serving import served
from tour import Site, Tour

from ops.local_cluster import LocalCluster

PATIENCE = 20_000  # ms, for the app to give up on its database, and for the page to ask again


@pytest.fixture
def hasty(cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a user app that gives up on its database after two seconds instead of thirty."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with served("user", cluster, tmp_path, "hasty:create_app()") as address:
        yield address


@contextmanager
def frozen(cluster: LocalCluster) -> Iterator[None]:
    """The database accepts connections and says nothing, as one does whose host hangs."""
    for process in cluster.processes:
        process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in cluster.processes:
            process.send(signal.SIGCONT)


def test_a_page_opens_by_itself_when_the_database_is_back(chromium: Browser, cluster: LocalCluster, hasty: str) -> None:
    with Tour(Site(user=hasty, admin=hasty), chromium) as tour:
        page = tour.window()
        with frozen(cluster):
            answer = page.goto(f"{hasty}/catalogue", timeout=PATIENCE)
            assert answer is not None
            assert answer.status == 503
            expect(page.get_by_text("opens by itself as soon as the library answers")).to_be_visible()
        expect(page.locator(".card").first).to_be_visible(timeout=PATIENCE)
        assert all("503" in complaint for complaint in tour.complaints), tour.complaints
