"""`film-library recommend` as a process of its own: what the timer runs, and what an operator reads."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from app.db import connection, favourites, neighbours, operations, person_directory
from ops.local_cluster import LocalCluster
from ops.paths import ROOT

Raw = Database[dict[str, Any]]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(mongodb: LocalCluster, database: Raw) -> Run:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            "FILM_LIBRARY_MONGODB_URI": mongodb.uri(),
            "FILM_LIBRARY_DATABASE": database.name,
        }
        command = [sys.executable, "-m", "app.cli", "recommend", *arguments]
        return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_the_first_run_computes_and_the_next_has_nothing_to_do(run: Run, add_films: Callable[..., None]) -> None:
    add_films("One", "Two")
    for user in ("ann", "bob", "cid"):
        for film in ("f001", "f002"):
            favourites.like(user, film)
    connection.get_collection("credits").insert_one(
        {"movie_id": "f001", "person_id": "p1", "name": "Jane Director", "role": "DIRECTOR"}
    )
    first = run()
    assert (first.returncode, first.stdout.splitlines()[-1]) == (
        0,
        "neighbours of films: 2, from 6 likes by 3 people",
    ), first.stderr
    assert neighbours.closest("f001", 5) == ["f002"]
    assert [person["_id"] for person in person_directory.find("jane")] == ["p1"]

    second = run()
    assert (second.returncode, second.stdout) == (0, "unchanged\n"), second.stderr
    assert run("--force").stdout.splitlines()[-1] == "neighbours of films: 2, from 6 likes by 3 people"

    operations.delete_document("movies", "f002", cascade=True)
    assert run().stdout.splitlines()[-1] == "neighbours of films: 1, from 3 likes by 3 people"
    assert neighbours.closest("f001", 5) == []


def test_a_second_run_at_once_leaves_the_work_to_the_first(run: Run) -> None:
    with neighbours.alone():
        result = run()
    assert (result.returncode, "Nothing done: " in result.stdout) == (0, True)
    assert run().returncode == 0
