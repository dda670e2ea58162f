"""A small library with documents of every kind, and the backups of it that tests make and damage."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bson import Timestamp
from click.testing import CliRunner, Result
from pymongo import MongoClient

from app.cli import main
from app.db import operations
from app.db.accounts import administrators, users
from app.db.core import connection
from app.db.likes import likes
from app.db.schema import create_indexes, install_validators
from ops.local_cluster import LocalCluster

LIBRARY = "movie_library"  # the database users' rights are for this one
PASSWORD = "correct horse"
FILMS = 60


def connect(cluster: LocalCluster, user: str, database: str = LIBRARY) -> None:
    connection.connect(connection.DatabaseConfig(cluster.uri(user), database=database))


def fill(cluster: LocalCluster) -> None:
    """Films, credits, likes and accounts, put there as the deployment and the admin app do."""
    connect(cluster, "film-library-deploy")
    install_validators()
    create_indexes()
    connect(cluster, "film-library-admin")
    films = [{"_id": f"f{number}", "title": f"Film {number}", "type": "MOVIE"} for number in range(FILMS)]
    operations.insert_documents("movies", films)
    credits = [{"movie_id": f"f{number}", "name": f"Ann {number}", "role": "ACTOR"} for number in range(FILMS)]
    operations.insert_documents("credits", credits)
    administrators.ensure("root", PASSWORD, superadmin=True)
    connect(cluster, "film-library-user")
    ada = users.sign_up("ada", PASSWORD)
    for number in range(5):
        likes.like(ada["_id"], f"f{number}")
    connection.disconnect()


def run(cluster: LocalCluster | None, *arguments: object, user: str = "film-library-backup", stdin: str = "") -> Result:
    """The command `film-library`, connected as a database user if there is a cluster."""
    env = {"FILM_LIBRARY_MONGODB_URI": cluster.uri(user) if cluster else "", "FILM_LIBRARY_DATABASE": LIBRARY}
    return CliRunner(env=env).invoke(main, [str(argument) for argument in arguments], input=stdin)


def succeed(
    cluster: LocalCluster | None, *arguments: object, user: str = "film-library-backup", stdin: str = ""
) -> str:
    """The output's last line."""
    result = run(cluster, *arguments, user=user, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.output.rstrip().rpartition("\n")[2]


def succeed_beside(cluster: LocalCluster, *arguments: object) -> None:
    """Run a command in another process, as this one's connection is in use."""
    env = {**os.environ, "FILM_LIBRARY_MONGODB_URI": cluster.uri("cluster-admin")}
    command = [sys.executable, "-m", "app.cli", *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def contents(
    client: MongoClient[dict[str, Any]], database: str = LIBRARY, at: Timestamp | None = None
) -> dict[str, tuple[int, str]]:
    """Number of documents and a digest of them, by collection, without empty ones; now or at a cluster time."""
    found = {}
    for name in client[database].list_collection_names():
        with client.start_session(snapshot=at is not None) as session:
            session._snapshot_time = at  # type: ignore[assignment]
            digests = sorted(
                hashlib.sha256(document).digest()
                for batch in client[database][name].find_raw_batches({}, session=session)
                for document in _documents(batch)  # type: ignore[arg-type]
            )
        if digests:
            found[name] = len(digests), hashlib.sha256(b"".join(digests)).hexdigest()
    return found


def _documents(batch: bytes) -> list[bytes]:
    documents = []
    while batch:
        size = int.from_bytes(batch[:4], "little")
        documents.append(batch[:size])
        batch = batch[size:]
    return documents


def new_key(directory: Path) -> tuple[Path, str]:
    """A private key's file, and the public key."""
    file = directory / "backup.key"
    return file, succeed(None, "make-backup-key", file)


# The command line, which waits when a backup has chosen its moment, and after the first batch of films.
PAUSING = """
import sys
from app.cli import main
from app.db.backups import full
copy_all, raw_batches = full._copy_all, full.raw_batches
told = []
def pause(where):
    if where not in told:
        told.append(where)
        print(where, flush=True)
        sys.stdin.readline()
def paused_copy(*arguments):
    pause("chosen")
    return copy_all(*arguments)
def paused_batches(name, session):
    for batch in raw_batches(name, session):
        yield batch
        if name == "movies":
            pause("reading")
full._copy_all, full.raw_batches = paused_copy, paused_batches
main()
"""


def paused_backup(
    cluster: LocalCluster, directory: Path, public_key: str, meanwhile: dict[str, Callable[[], None]]
) -> str:
    """Make a backup; call `meanwhile["chosen"]` and `meanwhile["reading"]` at those points. Returns its id."""
    command = [sys.executable, "-c", PAUSING, "backup", "--to", str(directory), "--public-key", public_key]
    env = {**os.environ, "FILM_LIBRARY_MONGODB_URI": cluster.uri("film-library-backup")}
    lines = []
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.strip())
            if (act := meanwhile.get(lines[-1])) is not None:
                act()
            if lines[-1] in ("chosen", "reading"):
                print(file=process.stdin, flush=True)
    assert process.returncode == 0, lines
    assert set(meanwhile) <= set(lines), lines
    return lines[-1]
