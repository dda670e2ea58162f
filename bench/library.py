"""A library of synthetic films on one mongod, behind the admin app, for as long as a benchmark takes."""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask.testing import FlaskClient

from app import admin
from app.db.accounts import administrators, sessions
from app.db.core import Row, connection
from app.db.films import ranking
from app.db.records import bulk
from app.db.schema import create_indexes, deferred_indexes, install_validators
from app.db.search import derived
from app.db.transfer import Sample
from app.progress import Progress
from bench import synthetic
from ops.artifacts import mongod_path, sample_wheel
from ops.local_cluster import LocalCluster

CACHE_GB = 4.0  # holds a million films and their indexes, as the cluster's hosts would


@dataclass(frozen=True)
class Library:
    """A loaded library; `sample` is the catalogue that its films are made from, `owner` the URI of who may do all."""

    uri: str
    database: str
    films: int
    sample: Sample
    credits: int = 0
    owner: str = ""


@contextmanager
def library(films: int, credits: int = 0) -> Iterator[Library]:
    """Load synthetic films and their credits, with all indexes; remove everything afterwards."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="film-library-bench-")))
        cluster = stack.enter_context(
            LocalCluster(directory, mongod=mongod_path(), shards=0, members=1, cache_gb=CACHE_GB)
        )
        sample = Sample(sample_wheel())
        connection.connect(connection.DatabaseConfig(uri=cluster.uri("film-library-deploy")))
        stack.callback(connection.disconnect)
        install_validators()
        create_indexes()
        if films:
            with deferred_indexes("movies"):
                _load("movies", synthetic.films(sample, films), films)
                ranking.recompute()
        if credits:
            with deferred_indexes("credits"):
                _load("credits", synthetic.credits(sample, films, credits), credits)
        derived.refresh()
        config = connection.DatabaseConfig(uri=cluster.uri("film-library-admin"))
        connection.connect(config)
        yield Library(config.uri, config.database, films, sample, credits, cluster.uri())


def _load(collection: str, rows: Iterable[Row], count: int) -> None:
    progress = Progress(collection, count)
    bulk.load(
        collection, enumerate(rows), on_progress=lambda settled: progress.reach(settled.documents, settled.documents)
    )


def admin_client(library: Library) -> FlaskClient:
    """The admin app as it is deployed, with an administrator logged in."""
    os.environ |= {
        "FILM_LIBRARY_MONGODB_URI": library.uri,
        "FILM_LIBRARY_SECRET_KEY": secrets.token_urlsafe(32),
        "FILM_LIBRARY_COOKIE_SECURE": "0",
        "FILM_LIBRARY_JOB_WORKER": "0",
    }
    app = admin.create_app()
    app.logger.setLevel(logging.WARNING)  # a log line per request would bury the figures
    user, _ = administrators.ensure("bench", secrets.token_urlsafe(16), expired=False)
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = sessions.open_session(user["_id"], "admin")
    return client
