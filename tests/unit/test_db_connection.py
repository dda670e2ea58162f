"""Configuring the connection, without a database."""

import sys
import threading
from collections.abc import Iterator

import pytest

from app.db.core import connection

NOBODY = connection.DatabaseConfig("mongodb://localhost:1/")


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    """Threads take turns so often that what can go wrong between two of them does."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
    connection.disconnect()


@pytest.mark.usefixtures("impatient_threads")
def test_threads_that_come_first_at_once_share_one_client() -> None:
    for _ in range(20):
        connection.connect(NOBODY)
        barrier = threading.Barrier(8)
        clients = []

        def come(barrier: threading.Barrier = barrier, clients: list[int] = clients) -> None:
            barrier.wait()
            clients.append(id(connection.get_collection("movies").database.client))

        threads = [threading.Thread(target=come) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(clients)) == 1
