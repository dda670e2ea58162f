"""Both apps with a real mongod and a small catalogue."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from flask import Flask
from web_visitor import PASSWORD, SECRET, XSS, Maker, Visitor, with_session

from app import admin, user
from app.db.accounts import administrators, second_factor, users
from app.db.core import Actor, connection
from app.db.films import ranking
from app.db.records import bulk
from app.db.schema import create_indexes, install_validators
from app.db.search import derived
from ops.local_cluster import LocalCluster

FILMS: list[dict[str, Any]] = [
    {
        "_id": "Q1",
        "title": "The Long Film",
        "genres": ["drama"],
        "release_year": 1950,
        "critics_score": 9.9,
        "critics_reviews": 300,
    },
    {
        "_id": "Q2",
        "title": "A Film, Long Ago",
        "genres": ["comedy"],
        "release_year": 1960,
        "critics_score": 9.0,
        "critics_reviews": 300,
    },
    {"_id": "Q3", "title": XSS, "genres": ["<b>war</b>"], "release_year": 1970, "critics_score": 8.0},
    {"_id": "Q4", "title": "Été à Łódź", "genres": [], "imdb_score": 7.5, "imdb_votes": 1000},
    *(
        {"_id": f"N{n:03}", "title": f"Numbered {n}", "release_year": 1900 + n, "critics_score": 5.0}
        for n in range(120)
    ),
]
CREDITS = [
    {"movie_id": "Q1", "person_id": "p1", "name": "Zoe Writer", "role": "WRITER"},
    {"movie_id": "Q1", "person_id": "p2", "name": "Ann Actor", "role": "ACTOR", "character": "The Clerk"},
    {"movie_id": "Q1", "person_id": "p3", "name": "Dan Director", "role": "DIRECTOR"},
    {"movie_id": "Q3", "person_id": "p4", "name": "<i>Eve</i>", "role": "ACTOR"},
    {"movie_id": "N001", "person_id": "p5", "name": "Ann Other", "role": "ACTOR"},
]


@pytest.fixture(scope="package")
def library(data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    """A mongod with films, credits, an admin "boss", a superadmin "rootadmin" and a user "ann"."""
    with LocalCluster(data_directory / "library", mongod=mongod, shards=0, members=1) as cluster:
        connection.connect(connection.DatabaseConfig(uri=cluster.uri("film-library-deploy")))
        install_validators()
        create_indexes()
        connection.connect(connection.DatabaseConfig(uri=cluster.uri("film-library-admin")))
        films = [{"type": "MOVIE", "critics_reviews": 100, **film} for film in FILMS]
        assert bulk.load("movies", enumerate(films)).inserted == len(FILMS)
        assert bulk.load("credits", enumerate(CREDITS)).inserted == len(CREDITS)
        ranking.recompute()
        derived.refresh()
        administrators.ensure("boss", PASSWORD, expired=False)
        root, _ = administrators.ensure("rootadmin", PASSWORD, superadmin=True, expired=False)
        secret = second_factor.new_secret()
        assert second_factor.set_up(Actor(root["_id"], "rootadmin"), secret, pyotp.TOTP(secret).now())
        users.sign_up("ann", PASSWORD)
        connection.disconnect()
        yield cluster
        connection.disconnect()


@pytest.fixture(autouse=True)
def no_job_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests run jobs themselves; a thread would look for jobs in the next test's database."""
    monkeypatch.setenv("FILM_LIBRARY_JOB_WORKER", "0")


@pytest.fixture
def make_app(library: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """Makes an app as deployed: with its own database user, and settings from the environment."""

    def make(name: str, **environment: str) -> Flask:
        settings = {"MONGODB_URI": library.uri(f"film-library-{name}"), "SECRET_KEY": SECRET, "COOKIE_SECURE": "0"}
        for key, value in {**settings, **environment}.items():
            monkeypatch.setenv(f"FILM_LIBRARY_{key}", value)
        return {"user": user, "admin": admin}[name].create_app()

    return make


@pytest.fixture
def user_app(make_app: Maker) -> Flask:
    return make_app("user")


@pytest.fixture
def admin_app(make_app: Maker) -> Flask:
    return make_app("admin")


@pytest.fixture
def visitor(user_app: Flask) -> Visitor:
    """A visitor of the user app, not logged in."""
    return Visitor(user_app)


@pytest.fixture
def guest(admin_app: Flask) -> Visitor:
    """A visitor of the admin app, not logged in."""
    return Visitor(admin_app)


@pytest.fixture
def boss(guest: Visitor) -> Visitor:
    """An administrator, logged in without the rate-limited form."""
    return with_session(guest, "boss")


@pytest.fixture
def root(admin_app: Flask) -> Visitor:
    """A superadmin, logged in with the second factor."""
    return with_session(Visitor(admin_app), "rootadmin")


@pytest.fixture
def user_id(library: LocalCluster) -> Callable[..., str]:
    """Finds an account's _id by name."""

    def find(name: str, collection: str = "users") -> str:
        with library.client() as client:
            found = client.movie_library[collection].find_one({"username": name}, {"_id": 1})
        assert found is not None
        return str(found["_id"])

    return find


_names = itertools.count(1)


@pytest.fixture
def new_name() -> str:
    """An unused name."""
    return f"person{next(_names)}"
