"""A page in the browser while the database is unavailable, and when it is back."""

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

PATIENCE = 20_000  # ms, for the app's database timeout and the page's polling


@pytest.fixture
def hasty(cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a user app with a database timeout of two seconds instead of thirty."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with served("user", cluster, tmp_path, "hasty:create_app()") as address:
        yield address


@contextmanager
def frozen(cluster: LocalCluster) -> Iterator[None]:
    """The database accepts connections but doesn't respond, as on a frozen host."""
    for process in cluster.processes:
        process.freeze()
    try:
        yield
    finally:
        for process in cluster.processes:
            process.send(signal.SIGCONT)


def test_a_page_reloads_when_the_database_is_back(chromium: Browser, cluster: LocalCluster, hasty: str) -> None:
    with Tour(Site(user=hasty, admin=hasty, recovery_codes=[]), chromium) as tour:
        page = tour.window()
        with frozen(cluster):
            answer = page.goto(f"{hasty}/catalogue", timeout=PATIENCE)
            assert answer is not None
            assert answer.status == 503
            expect(page.get_by_text("reload by itself when the library is back")).to_be_visible()
        expect(page.locator(".card").first).to_be_visible(timeout=PATIENCE)
        assert all("503" in complaint for complaint in tour.complaints), tour.complaints
