"""An empty database for each test, with all indexes; for those of backups, a small library and a key."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_library import LIBRARY, fill, new_key
from pymongo.database import Database

from app.db import operations
from app.db.core import connection
from app.db.schema import create_indexes, install_validators
from ops.local_cluster import LocalCluster

NAME = "tests"


@pytest.fixture(scope="session")
def indexed(mongodb: LocalCluster) -> Iterator[Database[dict[str, Any]]]:
    """A database with all indexes, created once, as that takes longer than a test."""
    connection.connect(connection.DatabaseConfig(mongodb.uri(), database=NAME))
    install_validators()
    create_indexes()
    options = connection.get_collection("movies").codec_options
    connection.disconnect()
    with mongodb.client() as client:
        yield client.get_database(NAME, codec_options=options)


@pytest.fixture
def database(mongodb: LocalCluster, indexed: Database[dict[str, Any]]) -> Iterator[Database[dict[str, Any]]]:
    """The emptied database, with app.db connected to it. The client bypasses app.db, to inspect and to tamper."""
    for name in indexed.list_collection_names(filter={"name": {"$not": {"$regex": "^system"}}}):
        indexed[name].delete_many({})
    connection.connect(connection.DatabaseConfig(mongodb.uri(), database=NAME))
    yield indexed
    connection.disconnect()


@pytest.fixture
def add_films(database: Database[dict[str, Any]]) -> Callable[..., None]:
    """Add films, each a title or a dictionary of fields; ids f001, f002, ... in the order given."""

    def add(*films: str | dict[str, Any]) -> None:
        documents = []
        for number, film in enumerate(films, 1):
            fields = {"title": film} if isinstance(film, str) else film
            documents.append({"_id": f"f{number:03}", "type": "MOVIE", "title": "Untitled", **fields})
        counts, rejects = operations.insert_documents("movies", documents)
        assert counts.inserted == len(films), rejects

    return add


@pytest.fixture(scope="module")
def library(mongodb: LocalCluster) -> Iterator[LocalCluster]:
    """A replica set with a library of every kind of document, for a module."""
    fill(mongodb)
    yield mongodb
    with mongodb.client() as client:
        client.drop_database(LIBRARY)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The file of a private key of backups, and the public key."""
    return new_key(tmp_path_factory.mktemp("key"))
