"""Fixtures that all suites share. Databases are real."""

from __future__ import annotations

import os
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from ops.artifacts import mongod_path
from ops.local_cluster import LocalCluster
from tests import memory

# A shell that runs the tests in the background makes them, and their children, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The pages that tests request are on this machine, so they bypass any proxy.
urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))

# The same examples every time, so that only a change makes a run fail; `make explore` looks for new ones. No deadlines:
# how long an example takes depends on the machine's load.
settings.register_profile("film-library", deadline=None, derandomize=not os.environ.get("HYPOTHESIS_EXPLORE"))
settings.load_profile("film-library")


@pytest.fixture(scope="session")
def mongod() -> Path:
    """The mongod binary, fetched on first use."""
    return mongod_path()


@pytest.fixture(scope="session")
def data_directory() -> Iterator[Path]:
    """A directory for the data of databases; each makes its own inside."""
    with memory.directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def mongodb(data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    """One-member replica set with key file and authorization: enough where sharding makes no difference."""
    with LocalCluster(data_directory / "mongodb", mongod=mongod, shards=0, members=1) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def cluster(data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    """Two shards of three members, three config servers, and the router.

    Not kept for the session: nine idle members take a quarter of a core, in each of pytest's processes.
    """
    with (
        tempfile.TemporaryDirectory(dir=data_directory) as directory,
        LocalCluster(Path(directory) / "cluster", mongod=mongod) as cluster,
    ):
        yield cluster
