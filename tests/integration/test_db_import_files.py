"""Loading files and batches: what is accepted, what is rejected and why, and what an interruption leaves."""

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from app.db.core import BadQuery
from app.db.records import Batch, Counts, LoadStopped, Reject, Settled, bulk
from app.db.schema import deferred_indexes, missing_indexes
from app.db.transfer import FileUnreadable
from app.db.transfer.imports import collection_of, import_file

Raw = Database[dict[str, Any]]

TITLES = """\ufeffid,title,type,description,release_year,age_certification,runtime,genres,production_countries,seasons,\
imdb_id,imdb_score,imdb_votes,tmdb_popularity,tmdb_score
tm84618,Taxi Driver,MOVIE,"A ""sick"" man,
New York",1976,R,114,"['drama', 'crime']",['US'],,tt0075314,8.2,808582.0,40.965,8.179
ts22164,Monty Python,SHOW,,1969,TV-14,30,"['comedy', 'european']",['GB'],4.0,tt0063929,8.8,73424.0,,8.306
tm0,,MOVIE,,1970,,x,[],[],,,11,,,
"""
CREDITS = """person_id,id,name,character,role
3748,tm84618,Robert De Niro,Travis Bickle,ACTOR
14658,tm84618,Martin Scorsese,,DIRECTOR
1,tm9,Nobody,,ACTOR
2,tm84618,Somebody,,PRODUCER
"""


def run(path: Path, collection: str | None = None) -> tuple[Counts, list[Reject]]:
    rejects: list[Reject] = []
    return import_file(path, collection, on_reject=rejects.append)[1], rejects


@pytest.fixture
def titles(tmp_path: Path) -> Path:
    path = tmp_path / "titles.csv"
    path.write_text(TITLES, encoding="utf-8")
    return path


@pytest.mark.usefixtures("database")
def test_kaggles_files_are_imported_unchanged(titles: Path, database: Raw) -> None:
    counts, rejects = run(titles)
    assert counts == Counts(inserted=2, existing=0, rejected=1)
    assert rejects == [
        Reject(5, "runtime", "x", "must be a whole number"),
        Reject(5, "imdb_score", "11", "must be at most 10"),
        Reject(5, "title", "", "is missing"),
    ]
    film = database.movies.find_one({"_id": "tm84618"})
    assert film is not None
    assert film["description"] == 'A "sick" man,\nNew York'
    assert (film["genres"], film["imdb_votes"]) == (["drama", "crime"], 808582)
    assert film["ranking_score"] > 0

    path = titles.with_name("credits.csv")
    path.write_text(CREDITS)
    counts, rejects = run(path)
    assert counts == Counts(inserted=2, existing=0, rejected=2)
    assert rejects == [
        Reject(4, "movie_id", "tm9", "there is no such film"),
        Reject(5, "role", "PRODUCER", "must be one of DIRECTOR, WRITER, ACTOR"),
    ]
    assert run(path)[0] == Counts(inserted=0, existing=2, rejected=2)


@pytest.mark.usefixtures("database")
def test_importing_again_changes_nothing(titles: Path, database: Raw) -> None:
    run(titles)
    before = list(database.movies.find())
    assert run(titles)[0] == Counts(inserted=0, existing=2, rejected=1)
    assert list(database.movies.find()) == before


@pytest.mark.parametrize("name", ["films.json", "films.jsonl"])
def test_json_comes_as_array_or_lines(tmp_path: Path, database: Raw, name: str) -> None:
    films = [{"_id": f"f{n}", "title": f"Film {n}", "type": "MOVIE"} for n in range(50)]
    text = json.dumps(films, indent=2) if name == "films.json" else "\n".join(map(json.dumps, films))
    (tmp_path / name).write_text(text)
    assert run(tmp_path / name) == (Counts(50, 0, 0), [])
    assert database.movies.count_documents({}) == 50


@pytest.mark.usefixtures("database")
def test_a_film_twice_in_a_file_is_one_film(tmp_path: Path) -> None:
    path = tmp_path / "films.jsonl"
    rows = [("f1", "One"), ("f1", "One"), ("f1", "Not one"), ("f2", "Two")]
    path.write_text("\n".join(json.dumps({"_id": i, "title": t, "type": "MOVIE"}) for i, t in rows))
    counts, rejects = run(path)
    assert counts == Counts(inserted=2, existing=1, rejected=1)
    assert rejects == [Reject(3, "_id", "f1", "is the id of another film")]


@pytest.mark.usefixtures("database")
def test_files_of_unknown_records_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}')
    with pytest.raises(BadQuery, match="which collection"):
        run(path)
    for collection in ("users", "sessions", "system.users"):
        with pytest.raises(BadQuery, match="can't import"):
            run(path, collection)
    with pytest.raises(FileUnreadable):
        run(tmp_path / "none.json")


def test_a_truncated_file_is_reported_with_line_and_progress(tmp_path: Path, database: Raw) -> None:
    path = tmp_path / "films.json"
    path.write_text('[{"_id": "f1", "title": "One", "type": "MOVIE"},\n{"_id": "f2", "ti')
    with pytest.raises(LoadStopped, match=r"films\.json: line 2: ") as raised:
        run(path)
    assert raised.value.counts.inserted == database.movies.count_documents({})
    assert missing_indexes() == {}


def films(count: int) -> Iterator[tuple[int, dict[str, Any]]]:
    for number in range(count):
        yield number, {"_id": f"f{number}", "title": f"Film {number}", "type": "MOVIE"}


def test_an_interrupted_load_reports_its_progress_and_a_second_one_completes_it(database: Raw) -> None:
    def interrupted() -> Iterator[tuple[int, dict[str, Any]]]:
        yield from films(bulk.BATCH * 2 + 10)
        raise KeyboardInterrupt

    with pytest.raises(LoadStopped, match="interrupted") as raised:
        bulk.load("movies", interrupted())
    assert raised.value.counts == Counts(inserted=database.movies.count_documents({}))
    inserted = raised.value.counts.inserted
    total = bulk.BATCH * 3
    assert bulk.load("movies", films(total)) == Counts(inserted=total - inserted, existing=inserted)
    assert database.movies.count_documents({}) == total


def test_an_interruption_while_a_thread_starts_counts_what_the_thread_writes(
    database: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, insert, writing, threads = threading.Thread.start, bulk._insert_batch, threading.Event(), []

    def insert_and_tell(*arguments: Any) -> Any:
        writing.set()
        return insert(*arguments)

    def start_and_interrupt(thread: threading.Thread) -> None:
        start(thread)
        if thread.name.startswith("load"):
            threads.append(thread)
            assert writing.wait(10)
            raise KeyboardInterrupt

    monkeypatch.setattr(bulk, "_insert_batch", insert_and_tell)
    monkeypatch.setattr(threading.Thread, "start", start_and_interrupt)
    with pytest.raises(LoadStopped, match="interrupted") as raised:
        bulk.load("movies", films(bulk.BATCH * 2))
    for thread in threads:
        thread.join()
    assert raised.value.counts == Counts(inserted=bulk.BATCH)
    assert database.movies.count_documents({}) == bulk.BATCH


def test_a_claim_left_by_an_interruption_is_adopted(database: Raw) -> None:
    bulk.load("movies", films(3))
    database.movies.delete_one({"_id": "f1"})
    assert bulk.load("movies", films(3)) == Counts(inserted=1, existing=2)


def test_two_concurrent_loads_insert_every_film_once(database: Raw) -> None:
    results: list[Counts] = []
    loads = [threading.Thread(target=lambda: results.append(bulk.load("movies", films(5000)))) for _ in range(2)]
    for thread in loads:
        thread.start()
    for thread in loads:
        thread.join()
    assert database.movies.count_documents({}) == 5000
    assert sum(results, Counts()) == Counts(inserted=5000, existing=5000)


@pytest.mark.usefixtures("database")
def test_progress_accounts_for_every_record_in_order() -> None:
    steps: list[Settled] = []
    total = bulk.BATCH * 3 + 5
    bulk.load("movies", films(total), on_progress=steps.append)
    assert [step.documents for step in steps] == [bulk.BATCH, bulk.BATCH * 2, bulk.BATCH * 3, total]
    assert [step.position for step in steps] == [step.counts.inserted for step in steps]


def test_deferred_indexes_exist_after_a_load_into_an_empty_collection(database: Raw) -> None:
    with deferred_indexes("movies"):
        assert "title_1__id_1" not in database.movies.index_information()
        bulk.load("movies", films(3))
    assert missing_indexes() == {}
    with deferred_indexes("movies"):  # no longer empty: searches go on while it is loaded
        assert missing_indexes() == {}
    with deferred_indexes("credits"):
        indexes = database.credits.index_information()
        assert "movie_id_1_person_id_1_role_1_character_1" in indexes


@pytest.mark.usefixtures("database")
def test_a_credit_with_the_id_of_another_one_is_refused(titles: Path, tmp_path: Path, database: Raw) -> None:
    run(titles)
    credit = {"_id": "a" * 24, "movie_id": "tm84618", "name": "Robert De Niro", "role": "ACTOR"}
    other = {**credit, "movie_id": "ts22164", "name": "John Cleese"}
    file = tmp_path / "credits.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in (credit, other)))
    for inserted in (1, 0):  # also when the first has been there before
        counts, rejects = run(file)
        assert counts == Counts(inserted, 1 - inserted, rejected=1)
        assert [(reject.line, reject.field, reject.reason) for reject in rejects] == [
            (2, "_id", "is the id of another record")
        ]
    assert [row["name"] for row in database.credits.find()] == ["Robert De Niro"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("f.json", b'{\n  "_id": "a"\n}', "line 1 is not JSON: .* at character 2"),
        ("f.json", b'{"movies": [{"_id": "a"}]}', r"line 1 has the fields \['movies'\]; say which collection"),
        ("f.json", b"{}", r"line 1 has the fields \[\]; say which collection"),
        ("f.json", b"\n42", "line 2 is not a JSON object"),
        ("f.json", b'[{"a": 1, "a": 2}]', "line 1 has the key 'a' twice"),
        ("f.json", bytes(range(128, 256)), "line 1 is not JSON: Expecting value"),
        ("f.csv", b'id,title\n"a,b\n', "line 2 is not CSV: unexpected end of data"),
    ],
)
def test_a_file_of_no_collection_is_refused_with_a_reason(name: str, content: bytes, reason: str) -> None:
    with pytest.raises(BadQuery, match=f"^can't tell from the first records what the file holds: {reason}"):
        collection_of(io.BytesIO(content), name)


@pytest.mark.usefixtures("database")
def test_everything_before_a_flaw_of_the_source_is_loaded(database: Raw) -> None:
    def batches() -> Iterator[Batch]:
        for first in range(0, 40, 10):
            films = [(n, {"_id": f"f{n}", "title": "One", "type": "MOVIE"}) for n in range(first, first + 10)]
            yield Batch(films, first + 10)
        raise FileUnreadable("a flaw")

    with pytest.raises(LoadStopped, match="a flaw") as raised:
        bulk.load_batches("movies", batches())
    assert raised.value.counts == Counts(inserted=40)
    assert raised.value.settled == Settled(40, 40, Counts(inserted=40))
    assert database.movies.count_documents({}) == 40
