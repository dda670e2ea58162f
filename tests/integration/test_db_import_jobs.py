"""Imports of uploads as jobs: reports, stored rejects, interruption and continuation."""

import gzip
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from app.db.core import Actor, BadQuery, JobCancelled, JobStopped, NotFound, now
from app.db.jobs import import_jobs, queue, runner
from app.db.jobs.queue import CANCELLED, DONE, FAILED
from app.db.records import Counts, bulk
from app.db.transfer import stored_rejects, uploads
from app.db.transfer.imports import import_stream

Raw = Database[dict[str, Any]]


def lines(count: int, bad: set[int]) -> bytes:
    """JSON lines of films, of which some have no type."""
    rows = ({"_id": f"f{n}", "title": f"Fílm {n}", **({} if n in bad else {"type": "MOVIE"})} for n in range(count))
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def job(content: bytes, name: str = "films.jsonl", **more: Any) -> dict[str, Any]:
    file = uploads.store(io.BytesIO(content), name)
    return {"_id": "j1", "file": file, "name": name, "collection": "movies", "strict": False, "done": 0, **more}


def run(work: dict[str, Any]) -> dict[str, Any]:
    return import_jobs.run_upload(work, lambda done, report: None)


def test_an_upload_is_imported_and_rejects_are_stored(database: Raw) -> None:
    content = lines(10, bad={3, 7}) + b'{"_id": "x", \xff}\n'
    work = job(gzip.compress(content), "films.jsonl.gz")
    report = run(work)
    assert report == {"inserted": 8, "existing": 0, "rejected": 3, "documents": 11, "heading": None}
    refused = stored_rejects.first_rejects("j1", 2)
    assert [(row["n"], row["line"], row["reasons"]) for row in refused] == [
        (1, 4, [{"field": "type", "value": "", "reason": "is missing"}]),
        (2, 8, [{"field": "type", "value": "", "reason": "is missing"}]),
    ]
    assert b"".join(stored_rejects.rejects_file({**work, "report": report})).splitlines() == [
        content.splitlines()[n] for n in (3, 7, 10)
    ]
    assert b"".join(stored_rejects.reasons_file({**work, "report": report})).splitlines()[:2] == [
        b"rejected record,line in the original,field,value,reason",
        b"1,4,type,,is missing",
    ]


@pytest.mark.parametrize("reports", [1, 2])
def test_a_stopped_import_continues_from_its_last_report(
    database: Raw, monkeypatch: pytest.MonkeyPatch, reports: int
) -> None:
    monkeypatch.setattr(import_jobs, "REPORT_EVERY_S", 0)
    monkeypatch.setattr(stored_rejects, "PAGE", 2)
    bad = {5, bulk.BATCH + 5, 2 * bulk.BATCH + 5, 3 * bulk.BATCH + 5}
    content = lines(4 * bulk.BATCH, bad)
    work, told = job(content), []

    def report(done: int, values: dict[str, Any]) -> None:
        told.append((done, values))
        if len(told) == reports:
            raise JobStopped

    with pytest.raises(JobStopped):
        import_jobs.run_upload(work, report)
    done, values = told[-1]
    assert values["documents"] == reports * bulk.BATCH
    in_by_then = database.movies.count_documents({})
    assert in_by_then >= values["inserted"]

    ended = run({**work, "done": done, "report": values})
    assert ended["documents"] == 4 * bulk.BATCH
    assert ended["rejected"] == len(bad)
    assert ended["inserted"] + ended["existing"] == 4 * bulk.BATCH - len(bad)
    assert ended["existing"] == in_by_then - values["inserted"]  # of the batches that were under way
    refused = b"".join(stored_rejects.rejects_file({**work, "report": ended}))
    assert [json.loads(line)["_id"] for line in refused.splitlines()] == [f"f{n}" for n in sorted(bad)]
    assert database.movies.count_documents({"ranking_score": None}) == 0


def test_a_cancelled_import_counts_and_ranks_what_it_loaded(database: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_jobs, "REPORT_EVERY_S", 0)
    told: list[dict[str, Any]] = []

    def report(done: int, values: dict[str, Any]) -> None:
        told.append(values)
        raise JobCancelled

    with pytest.raises(JobCancelled):
        import_jobs.run_upload(job(lines(6 * bulk.BATCH, bad=set())), report)
    in_by_then = database.movies.count_documents({})
    assert told[0]["inserted"] < in_by_then  # batches were under way
    assert told[-1]["inserted"] == in_by_then
    assert database.movies.count_documents({"ranking_score": None}) == 0


def test_a_truncated_upload_is_reported_with_line_and_counts(database: Raw) -> None:
    told: list[dict[str, Any]] = []
    with pytest.raises(BadQuery, match=r"films\.json: line 2: "):
        import_jobs.run_upload(
            job(b'[{"_id": "f1", "title": "One", "type": "MOVIE"},\n{"_id": "f2", "ti', "films.json"),
            lambda done, report: told.append(report),
        )
    assert told[-1]["inserted"] == database.movies.count_documents({}) == 1


def test_a_strict_import_inserts_nothing_after_the_first_bad_record(database: Raw) -> None:
    told: list[dict[str, Any]] = []
    work = job(lines(20, bad={7, 9}), strict=True)
    with pytest.raises(BadQuery, match="line 8: type is missing"):
        import_jobs.run_upload(work, lambda done, report: told.append(report))
    assert {row["_id"] for row in database.movies.find()} == {f"f{n}" for n in range(7)}
    assert (told[-1]["inserted"], told[-1]["rejected"]) == (7, 1)
    assert [row["line"] for row in stored_rejects.first_rejects("j1", 9)] == [8]


def test_a_strict_import_also_stops_at_a_dangling_reference(database: Raw) -> None:
    run(job(lines(1, bad=set())))
    rows = ({"movie_id": film, "name": f"Person {n}", "role": "ACTOR"} for n, film in enumerate(["f0", "f9", "f0"]))
    work = job("\n".join(map(json.dumps, rows)).encode(), "credits.jsonl", collection="credits", strict=True)
    with pytest.raises(BadQuery, match="line 2: movie_id there is no such film"):
        run(work)
    assert [row["name"] for row in database.credits.find()] == ["Person 0"]


def test_rejects_can_be_corrected_and_imported(database: Raw) -> None:
    content = 'id,title,type,runtime\na,"Alpha, or\none",FILM,90\nb,Beta\nc,Caf\u00e9,MOVIE,9\n'.encode()
    work = job(content.replace("\u00e9".encode(), b"\xe9"), "titles.csv")
    report = run(work)
    assert report["rejected"] == 3
    refused = b"".join(stored_rejects.rejects_file({**work, "report": report}))
    assert refused.startswith(b"id,title,type,runtime\r\n")
    corrected = refused.replace(b"FILM", b"SHOW").replace(b"b,Beta", b"b,Beta,MOVIE,80").replace(b"\xe9", b"\xc3\xa9")
    assert import_stream(io.BytesIO(corrected), "titles.rejects.csv")[1] == Counts(inserted=3)
    assert database.movies.find_one({"_id": "a"}, {"_id": 0, "title": 1}) == {"title": "Alpha, or\none"}
    assert database.movies.find_one({"_id": "c"}, {"_id": 0, "title": 1}) == {"title": "Café"}


@pytest.mark.parametrize(
    ("content", "cancelled", "state"),
    [
        (lines(2, bad=set()), False, DONE),
        (lines(2, bad={0}), False, FAILED),
        (lines(2, bad=set()), True, CANCELLED),
    ],
)
def test_an_upload_is_removed_when_its_job_ends_and_not_before(
    database: Raw, content: bytes, cancelled: bool, state: str
) -> None:
    task = job(content, strict=True)
    task = {key: task[key] for key in ("file", "name", "strict")}
    job_id = queue.create("import", "movies", Actor("u1", "ada"), total=len(content), **task)
    assert runner.run_next(lambda: True)  # the process is leaving: another one goes on
    assert database["uploads.chunks"].count_documents({}) == 1
    if cancelled:
        queue.cancel(job_id)
    assert runner.run_next()
    assert queue.get(job_id)["state"] == state
    assert database["uploads.files"].count_documents({}) == database["uploads.chunks"].count_documents({}) == 0


def test_old_uploads_are_removed_by_idle_workers(database: Raw) -> None:
    old, young = (uploads.store(io.BytesIO(b"x"), "x") for _ in range(2))
    database["uploads.files"].update_one(
        {"_id": ObjectId(old)}, {"$set": {"uploadDate": now() - uploads.KEEP - timedelta(minutes=1)}}
    )
    assert not runner.run_next()
    with pytest.raises(NotFound), uploads.opened(old):
        pass
    with uploads.opened(young) as stream:
        assert stream.read() == b"x"
