"""Imports, which are jobs with a report, and exports of lists."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from web_visitor import XSS, Visitor
from werkzeug.http import parse_options_header
from werkzeug.test import TestResponse

from app.admin import transfer
from app.db.core import audit
from app.db.jobs import queue, runner
from app.db.transfer import stored_rejects
from ops.local_cluster import LocalCluster

FILE = "id,title,type\nU1,Uploaded one,MOVIE\nU2,Uploaded two,FILM\nU3,<b>Three</b>,<i>MOVIE</i>\n"


@pytest.fixture(autouse=True)
def _tidy(library: LocalCluster) -> Iterator[None]:
    yield
    with library.client() as client:
        database = client.movie_library
        for name in ("movies", "movie_ids"):
            database[name].delete_many({"_id": {"$regex": "^U"}})
        for name in (queue.JOBS, audit.LOG, stored_rejects.NAME, "uploads.files", "uploads.chunks"):
            database[name].delete_many({})


def send(visitor: Visitor, content: str | bytes, name: str = "titles.csv", **data: Any) -> TestResponse:
    stream = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return visitor.send("/import", {"file": (stream, name), **data})


def test_an_upload_becomes_a_job_with_a_report(boss: Visitor) -> None:
    answer = send(boss, FILE)
    assert answer.status_code == 303, answer.text
    waiting = boss.get(answer.location).text
    assert "titles.csv" in waiting
    while runner.run_next():  # other tests may have left jobs before it
        pass
    page = boss.get(answer.location).text
    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", page))
    assert (facts["Added"], facts["Already present"], facts["Rejected"]) == ("1", "0", "2")
    assert "must be one of MOVIE, SHOW" in page
    assert "&lt;i&gt;MOVIE&lt;/i&gt;" in page
    assert "Uploaded one" in boss.get("/collections/movies?filter=_id.eq.U1").text

    job = answer.location.rsplit("/", 1)[-1]
    rejects = boss.get(f"/imports/{job}/rejects")
    assert rejects.headers["Content-Disposition"] == "attachment; filename=titles.rejects.csv"
    assert rejects.text.splitlines() == ["id,title,type", "U2,Uploaded two,FILM", "U3,<b>Three</b>,<i>MOVIE</i>"]
    reasons = boss.get(f"/imports/{job}/reasons")
    assert [row["line in the original"] for row in csv.DictReader(io.StringIO(reasons.text))] == ["3", "4"]

    assert send(boss, rejects.text.replace("FILM", "SHOW"), "titles.rejects.csv").status_code == 303
    assert runner.run_next()
    assert "Uploaded two" in boss.get("/collections/movies?filter=_id.eq.U2").text


@pytest.mark.parametrize(
    "name", ["a%22; filename=%22evil.exe", "films; filename*=UTF-8''evil.exe", "été", "%0d%0aSet-Cookie: a=b"]
)
def test_a_rejects_file_has_a_harmless_name(boss: Visitor, name: str) -> None:
    address = send(boss, FILE, f"{name}.csv").location
    assert runner.run_next()
    answer = boss.get(f"/imports/{address.rsplit('/', 1)[-1]}/rejects")
    kind, parts = parse_options_header(answer.headers["Content-Disposition"])
    stem = name.replace("%22", '"')  # as browsers send it in a form
    assert (kind, parts) == ("attachment", {"filename": f"{stem}.rejects.csv"})
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        ("", "x.csv", "there is no record in the file"),
        ("a,b\n1,2\n", "x.csv", "what the file holds"),
        (b"PK\x03\x04...", "titles.csv.zip", "is a zip archive; unpack it first"),
        ('{"title": "é"}'.encode("utf-16"), "x.json", "is UTF-16; save it as UTF-8"),
        ("[" * 200_000, "x.json", "line 1: an item is nested too deeply"),
    ],
)
def test_an_unusable_file_is_refused_beside_its_field(
    boss: Visitor, content: str | bytes, name: str, reason: str
) -> None:
    answer = send(boss, content, name)
    assert answer.status_code == 422
    (problem,) = re.findall(r'<p class="field-error" id="file-error">([^<]*)</p>', answer.text)
    assert reason in problem


def test_a_missing_file_is_refused_and_a_hostile_name_is_harmless(boss: Visitor) -> None:
    assert "Choose a file." in boss.send("/import", {}).text
    answer = send(boss, FILE, f"../../etc/{XSS}.csv")
    assert answer.status_code == 303
    page = boss.get(answer.location).text
    assert "<script>alert" not in page
    assert "etc" not in page


def test_only_importers_may_upload_large_files(boss: Visitor, guest: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    much = FILE + "U4,Much,MOVIE\n" * 40_000
    assert send(boss, much).status_code == 303
    anonymous = Visitor(guest.app)
    assert anonymous.post("/import", {"file": (io.BytesIO(much.encode()), "x.csv")}).status_code in (302, 400, 413)
    assert boss.post("/import", {"file": (io.BytesIO(FILE.encode()), "x.csv")}).status_code == 400  # no token
    monkeypatch.setattr(transfer, "UPLOAD_MAX_BYTES", 300_000)
    assert send(boss, much).status_code == 413
    assert boss.post("/log-out", {"csrf_token": "x" * 300_000}).status_code == 413


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_list_is_exported(boss: Visitor, form: str) -> None:
    address = f"/collections/movies/export?format={form}&filter=release_year.gte.1960&filter=_id.contains.Q&sort=title"
    answer = boss.get(address)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(("text/csv", "application/jsonl"))
    assert re.fullmatch(
        rf"attachment; filename=movies-\d{{4}}-\d\d-\d\d\.{form}", answer.headers["Content-Disposition"]
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    text = answer.get_data(as_text=True).removeprefix("\ufeff")
    rows = (
        [json.loads(line) for line in text.splitlines()] if form == "jsonl" else list(csv.DictReader(io.StringIO(text)))
    )
    assert [row["title"] for row in rows] == [XSS, "A Film, Long Ago"]


@pytest.mark.parametrize(("collection", "name"), [("users", "ann"), ("administrators", "rootadmin")])
def test_accounts_are_exported_without_their_passwords(boss: Visitor, collection: str, name: str) -> None:
    text = boss.get(f"/collections/{collection}/export?format=csv").text
    assert name in text
    assert "argon2" not in text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/collections/sessions/export", 404),
        ("/collections/movies/export?format=xlsx", 400),
        ("/collections/movies/export?filter=title.where.x", 400),
        ("/collections/movies/export?sort=description", 400),
        ("/collections/users/export?filter=password_hash.exists.yes", 400),
        ("/imports/none/rejects", 404),
        ("/imports/none/reasons", 404),
    ],
)
def test_invalid_downloads_are_error_pages(boss: Visitor, address: str, status: int) -> None:
    answer = boss.get(address)
    assert answer.status_code == status
    assert "<h1>" in answer.text
