"""However large the library is, backing up, verifying and restoring take the same memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_library import LIBRARY, new_key
from pymongo.database import Database

from ops.local_cluster import LocalCluster

DOCUMENT = 20_000  # bytes that can't be compressed
SMALL, LARGE = 2_000, 5_000  # documents: 40 and 100 MB. 32 MB are two batches
# Peaks differ by one or two batches from run to run: 201 to 233 MB for a backup of anything between 40 and 700 MB.
ALLOWED_MB = 40
INTO = "restored"

MEASURED = """
import resource
from app.cli import main
main(standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.fixture
def database(mongodb: LocalCluster) -> Iterator[Database[dict[str, Any]]]:
    with mongodb.client() as client:
        yield client[LIBRARY]
        for name in (LIBRARY, INTO):
            client.drop_database(name)


def megabytes(cluster: LocalCluster, *arguments: object) -> int:
    """The largest resident memory of a command."""
    env = {**os.environ, "FILM_LIBRARY_MONGODB_URI": cluster.uri()}
    command = [sys.executable, "-c", MEASURED, *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.split()[-1])


def test_memory_does_not_grow_with_the_library(
    mongodb: LocalCluster, database: Database[dict[str, Any]], tmp_path: Path
) -> None:
    key, public = new_key(tmp_path)
    there, taken = 0, []
    for count in (SMALL, LARGE):
        for start in range(there, count, 500):
            database.posters.insert_many([{"_id": n, "data": os.urandom(DOCUMENT)} for n in range(start, start + 500)])
        there = count
        backup = megabytes(mongodb, "backup", "--to", tmp_path, "--public-key", public)
        verify = megabytes(mongodb, "verify-backup", tmp_path, "latest", "--key", key)
        restore = megabytes(mongodb, "restore", tmp_path, "latest", "--key", key, "--into", INTO)
        database.client.drop_database(INTO)
        taken.append((backup, verify, restore))
    small, large = taken
    print(f"MB at {SMALL:,} and {LARGE:,} documents: {small}, {large}")
    assert max(after - before for before, after in zip(small, large, strict=True)) <= ALLOWED_MB, taken
