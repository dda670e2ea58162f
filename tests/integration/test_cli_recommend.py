"""`film-library recommend` in a separate process, as the timer and operators run it."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pymongo.database import Database

from app.cli.recommend import recommend
from app.db import operations
from app.db.accounts import users
from app.db.core import connection, now
from app.db.films import person_directory
from app.db.likes import likes, neighbour_lists, stray_likes
from app.db.search import derived
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


@pytest.fixture
def run_here(mongodb: LocalCluster, database: Raw) -> Callable[[], Result]:
    """As `run`, in this process."""
    env = {"FILM_LIBRARY_MONGODB_URI": mongodb.uri(), "FILM_LIBRARY_DATABASE": database.name}
    return lambda: CliRunner(env=env).invoke(recommend)


def test_the_first_run_computes_and_the_next_has_nothing_to_do(run: Run, add_films: Callable[..., None]) -> None:
    add_films("One", "Two")
    for user in ("ann", "bob", "cid"):
        for film in ("f001", "f002"):
            likes.like(user, film)
    connection.get_collection("credits").insert_one(
        {"movie_id": "f001", "person_id": "p1", "name": "Jane Director", "role": "DIRECTOR"}
    )
    first = run()
    assert (first.returncode, first.stdout.splitlines()[-1]) == (
        0,
        "neighbours of films: 2, from 6 likes by 3 people",
    ), first.stderr
    assert neighbour_lists.closest("f001", 5) == ["f002"]
    assert [person["_id"] for person in person_directory.find("jane")] == ["p1"]

    second = run()
    assert (second.returncode, second.stdout) == (0, "unchanged\n"), second.stderr
    assert run("--force").stdout.splitlines()[-1] == "neighbours of films: 2, from 6 likes by 3 people"

    operations.delete_document("movies", "f002", cascade=True)
    assert run().stdout.splitlines()[-1] == "neighbours of films: 1, from 3 likes by 3 people"
    assert neighbour_lists.closest("f001", 5) == []


def test_a_second_run_at_once_leaves_the_work_to_the_first(run: Run) -> None:
    with neighbour_lists.alone():
        result = run()
    assert (result.returncode, "Nothing done: " in result.stdout) == (os.EX_TEMPFAIL, True)
    assert run().returncode == 0


def test_stray_likes_are_removed_unless_recent(
    run_here: Callable[[], Result], database: Raw, add_films: Callable[..., None]
) -> None:
    add_films("One")
    ann = users.sign_up("ann", "three blind mice 1927")["_id"]
    old = now() - 2 * stray_likes.GRACE
    rows = [(ann, "f001", old), (ann, "made-up", old), ("nobody", "f001", old), (ann, "being-added", now())]
    database.user_interactions.insert_many(
        [{"user_id": user, "movie_id": film, "created_at": at} for user, film, at in rows]
    )
    assert "likes of films and accounts that are no more: 2 removed" in run_here().stdout.splitlines()
    left = {(row["user_id"], row["movie_id"]) for row in database.user_interactions.find()}
    assert left == {(ann, "f001"), (ann, "being-added")}


def test_neighbours_are_computed_even_if_derived_collections_fail(
    run_here: Callable[[], Result], database: Raw
) -> None:
    operations.insert_one("movies", {"title": "One", "type": "MOVIE"})
    derived.refresh()
    database.search_words.delete_many({})
    database.command("collMod", "search_words", validator={"films": {"$lt": 0}})
    try:
        likes.like("ann", "f001")
        result = run_here()
    finally:
        database.command("collMod", "search_words", validator={})
    assert result.stdout.splitlines() == ["neighbours of films: 0, from 1 likes by 1 people"]
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: words, people and values to choose from aren't up to date: ")


def test_a_run_that_loses_its_lease_reports_what_it_did(
    run_here: Callable[[], Result], database: Raw, add_films: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease that ran out during the first part, and was taken by another process."""
    add_films("One")
    likes.like("ann", "f001")
    database.search_words.insert_one({"_id": "stale", "films": 1, "people": 0})
    refresh = derived.refresh

    def refresh_for_long() -> int:
        database.neighbours.update_one({"_id": neighbour_lists.LOCK}, {"$set": {"owner": "another"}})
        return refresh()

    monkeypatch.setattr(derived, "refresh", refresh_for_long)
    result = run_here()
    assert result.exit_code == os.EX_TEMPFAIL
    said = result.output.splitlines()
    assert said[0].startswith("words, people and values to choose from: ")
    assert said[1] == "The rest is not done: another process has taken over."
    assert len(said) == 2
