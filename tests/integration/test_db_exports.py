"""Exports: every field that isn't derived or private, and importing them again."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.database import Database

from app.db import operations
from app.db.accounts import users
from app.db.core import BadQuery, Condition
from app.db.transfer import cells, exports
from app.db.transfer.exports import export
from app.db.transfer.imports import import_stream

Raw = Database[dict[str, Any]]

# What is text in one place and something else in another: quotes, separators, formulas, escapes, lists.
AWKWARD = [
    "=1+1",
    "'=1+1",
    "'71",
    "-30-",
    "+1",
    "@home",
    "a,b;c",
    'say "x"',
    "one\ntwo\r\nthree\rfour",
    "\\n",
    "Łódź 🎬",
]


@pytest.fixture
def library(database: Raw) -> Raw:
    """Awkward films, one with every field; a credit, a like and its user."""
    films: list[dict[str, Any]] = [{"_id": f"f{n:02}", "title": title} for n, title in enumerate(AWKWARD)]
    films[0] |= {
        "description": AWKWARD[8],
        "release_year": 1999,
        "runtime": 0,
        "genres": AWKWARD,
        "production_countries": [],
        "imdb_score": 7.25,
        "imdb_votes": 3,
        "tmdb_popularity": 1e-07,
    }
    counts, rejects = operations.insert_documents("movies", [{"type": "MOVIE", **film} for film in films])
    assert counts.inserted == len(AWKWARD), rejects
    operations.insert_credit({"movie_id": "f00", "name": "=Ann", "role": "ACTOR"})
    user = users.sign_up("ann", "three blind mice 1927")
    operations.insert_one("user_interactions", {"user_id": user["_id"], "movie_id": "f01"})
    return database


@pytest.mark.parametrize("form", exports.MEDIA_TYPES)
@pytest.mark.parametrize("collection", ["movies", "credits", "user_interactions"])
def test_an_export_can_be_imported_without_loss(library: Raw, collection: str, form: str) -> None:
    before = list(library[collection].find().sort("_id"))
    assert before
    file = io.BytesIO("".join(export(collection, form=form)).encode())
    library[collection].delete_many({})
    library.movie_ids.delete_many({} if collection == "movies" else {"_id": None})
    name, counts = import_stream(file, f"{collection}.{form}")
    assert (name, counts.inserted, counts.rejected) == (collection, len(before), 0)
    assert list(library[collection].find().sort("_id")) == before


@pytest.mark.usefixtures("library")
def test_no_cell_begins_like_a_formula() -> None:
    text = "".join(export("movies", form="csv"))
    assert text.startswith('\ufeff"_id","title","type",')
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert len(rows) == len(AWKWARD)
    assert all(cell[:1] not in "=+-@\t\r" for row in rows for cell in row.values() if cell)
    assert [row["title"] for row in rows[:3]] == ["'=1+1", "''=1+1", "'71"]
    assert '"a,b;c"' in text


@given(st.text(alphabet="'=+-@\t\r\n＝a ", max_size=6))  # noqa: RUF001 - the full-width sign is meant
def test_escaping_is_reversible(text: str) -> None:
    escaped = cells.escape(text)
    assert cells.unescape(escaped) == text
    assert escaped[:1] not in tuple("=+-@\t\r\n＝")  # noqa: RUF001 - as above


@pytest.mark.usefixtures("library")
def test_private_and_derived_fields_are_not_exported() -> None:
    assert exports.exported_fields("users") == ["_id", "username", "created_at"]
    assert exports.exported_fields("administrators") == ["_id", "username", "admin_status", "created_at"]
    for form in exports.MEDIA_TYPES:
        text = "".join(export("users", form=form))
        assert "ann" in text
        assert "argon2" not in text
        assert "title_hash" not in "".join(export("movies", form=form))


@pytest.mark.usefixtures("library")
def test_conditions_and_order_are_kept() -> None:
    lines = "".join(export("movies", [Condition("_id", "lt", "f03")], sort="title", descending=True)).splitlines()
    titles = [json.loads(line)["title"] for line in lines]
    assert titles == sorted(AWKWARD[:3], reverse=True)


@pytest.mark.usefixtures("database")
def test_invalid_exports_are_refused_at_once() -> None:
    for arguments in (("sessions",), ("movies", [Condition("title_hashes", "eq", "1")])):
        with pytest.raises(BadQuery):
            export(*arguments)
    with pytest.raises(BadQuery, match="can't export as 'xlsx'"):
        export("movies", form="xlsx")
    assert "".join(export("movies")) == ""
    assert "".join(export("credits", form="csv")).count("\r\n") == 1
