"""Converting, checking and completing records."""

from typing import Any

import pytest
from bson import BSON, ObjectId
from hypothesis import given
from hypothesis import strategies as st

from app.db.core import COLLECTIONS, BadQuery, ValidationFailed, custom_hash, fields_of, prepare

FILM = {"_id": "tm1", "title": "The Matrix", "type": "MOVIE"}
CREDIT = {"movie_id": "tm1", "name": "Keanu Reeves", "role": "ACTOR"}


def errors(collection: str, item: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationFailed) as raised:
        prepare(collection, item)
    return raised.value.errors


def test_a_row_of_kaggles_titles_becomes_a_film() -> None:
    row = {
        "id": "ts300399",
        "title": " Five Came Back ",
        "type": "SHOW",
        "description": "",
        "release_year": "2017",
        "age_certification": "TV-MA",
        "runtime": "51",
        "genres": "['documentation', 'Drama']",
        "production_countries": "['US']",
        "seasons": "1.0",
        "imdb_id": "tt5068480",
        "imdb_score": "8.2",
        "imdb_votes": "808533.0",
        "tmdb_popularity": "",
        "tmdb_score": "8.179",
    }
    assert prepare("movies", row) == {
        "_id": "ts300399",
        "title": "Five Came Back",
        "type": "SHOW",
        "release_year": 2017,
        "age_certification": "TV-MA",
        "runtime": 51,
        "genres": ["documentation", "drama"],
        "production_countries": ["US"],
        "seasons": 1,
        "imdb_id": "tt5068480",
        "imdb_score": 8.2,
        "imdb_votes": 808533,
        "tmdb_score": 8.179,
        "title_hash": custom_hash("Five Came Back"),
        "title_norm": "five came back",
        "search_tokens": ["five", "came", "back"],
    }


@pytest.mark.parametrize(
    ("field", "written", "stored"),
    [
        ("genres", ["drama", "crime", "drama", "Drama", " "], ["drama", "crime"]),
        ("genres", "Drama, crime ,drama", ["drama", "crime"]),
        ("production_countries", "['US', 'FR', 'US']", ["US", "FR"]),
    ],
)
def test_a_list_keeps_each_item_once_in_its_order(field: str, written: Any, stored: list[str]) -> None:
    film = prepare("movies", {"_id": "a", "title": "A", "type": "MOVIE", field: written})
    assert film[field] == stored


def test_a_row_of_kaggles_credits_becomes_a_credit() -> None:
    row = {"person_id": 3748, "id": "tm84618", "name": "Robert De Niro", "character": "Travis", "role": "ACTOR"}
    credit = prepare("credits", row)
    assert isinstance(credit.pop("_id"), ObjectId)
    assert credit == {
        "person_id": "3748",
        "movie_id": "tm84618",
        "name": "Robert De Niro",
        "character": "Travis",
        "role": "ACTOR",
    }


def test_a_credit_without_a_person_id_gets_one_from_the_name() -> None:
    assert (
        prepare("credits", CREDIT)["person_id"] == prepare("credits", {**CREDIT, "name": "KEANU REEVES"})["person_id"]
    )


def test_derived_fields_are_computed_and_never_taken() -> None:
    given_hash = prepare("movies", {**FILM, "title_hash": 5, "search_tokens": ["x"], "ranking_score": 10})
    assert given_hash == prepare("movies", FILM)
    assert "ranking_score" not in given_hash


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("title", {"$ne": None}, "must be text"),
        ("title", ["x"], "must be text"),
        ("title", 1917, "must be text"),
        ("title", "x" * 501, "must have at most 500 characters"),
        ("title", "half \ud800 pair", "holds half a surrogate pair, which is no character"),
        ("_id", {"$gt": ""}, "must be text"),
        *(
            ("_id", wrong, "may hold letters, digits and . _ ~ - only, and not be bulk, export, new or views")
            for wrong in ("a/../b", "a b", ".", "..", "new", "export")
        ),
        ("_id", "tm1\n", None),
        ("type", "FILM", "must be one of MOVIE, SHOW"),
        ("release_year", "nineteen", "must be a whole number"),
        ("release_year", 1.5, "must be a whole number"),
        ("release_year", True, "must be a whole number"),
        ("release_year", 99999, "must be at most 2200"),
        ("release_year", "1e400", "must be a whole number"),
        ("runtime", -1, "must be at least 0"),
        ("runtime", {"$gt": 0}, "must be a whole number"),
        ("imdb_votes", 2**31, "must be at most 2147483647"),
        ("imdb_score", 10.1, "must be at most 10"),
        ("imdb_score", float("nan"), "must be a finite number"),
        ("imdb_score", "Infinity", "must be a finite number"),
        ("imdb_score", False, "must be a number"),
        ("imdb_score", 10**400, "must be a number"),
        ("genres", {"$exists": True}, "must be a list"),
        ("genres", [1], "must be text"),
        ("genres", "['a', 2]", "must be text"),
        ("genres", "['a'", "is not a list like ['drama', 'crime']"),
        ("genres", "[" * 10_000, "is not a list like ['drama', 'crime']"),
        ("genres", ["x"] * 101, "must have at most 100 items"),
        ("budget", 5, "movies have no such field"),
        ("$where", "sleep(1000)", "movies have no such field"),
    ],
)
def test_what_breaks_a_rule_is_named_with_its_field(field: str, value: Any, reason: str | None) -> None:
    if reason is None:
        assert prepare("movies", {**FILM, field: value})[field] == value.strip()
    else:
        assert errors("movies", {**FILM, field: value}) == {field: reason}


def test_all_errors_of_a_record_come_at_once() -> None:
    assert errors("movies", {"type": "X", "runtime": "long", "title": "  "}) == {
        "_id": "is missing",
        "title": "is missing",
        "type": "must be one of MOVIE, SHOW",
        "runtime": "must be a whole number",
    }


def test_of_many_unknown_fields_the_first_are_named() -> None:
    """All reasons are stored and shown; a record may have a hundred thousand fields, or one with a long name."""
    found = errors(
        "movies", {**FILM, "x" * 1_000_000: 1, **{f"c{number}": 1 for number in range(100_000)}, "runtime": -1}
    )
    assert len(found) == 22
    assert found["runtime"] == "must be at least 0"
    assert found[""] == "has 99,981 more fields that movies don't have"
    assert max(map(len, found)) == 100


def test_an_unknown_collection_is_a_bad_query() -> None:
    for name in ("system.users", "", None, {"$ne": 1}):
        with pytest.raises(BadQuery):
            prepare(name, FILM)  # type: ignore[arg-type]  # what a request might bring


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("collection", sorted(COLLECTIONS))
@given(data=st.data())
def test_any_record_is_either_refused_or_fit_to_store(collection: str, data: st.DataObject) -> None:
    fields = list(fields_of(COLLECTIONS[collection]))
    base = {"movies": FILM, "credits": CREDIT}.get(collection, {})
    item = {**base, **data.draw(st.dictionaries(st.sampled_from(fields) | st.text(max_size=8), _json, max_size=4))}
    try:
        document = prepare(collection, item)
    except ValidationFailed:
        return
    BSON.encode(document)
    names = {"_id": "id"}
    # What the fast path lets through, MongoEngine's own validation lets through too.
    COLLECTIONS[collection](**{names.get(field, field): value for field, value in document.items()}).validate()


def test_ids_of_credits_are_object_ids() -> None:
    known = ObjectId()
    assert prepare("credits", {**CREDIT, "_id": str(known)})["_id"] == known
    assert errors("credits", {**CREDIT, "_id": "tm1"}) == {"_id": "must be 24 hexadecimal digits"}


@pytest.mark.parametrize("aliased", [{"id": "tm2"}, {"id": "tm1"}])
def test_a_field_given_under_two_names_is_refused(aliased: dict[str, str]) -> None:
    assert errors("movies", {**FILM, **aliased}) == {"_id": "is given twice, as id and as _id"}
    assert errors("movies", {**aliased, **FILM}) == {"_id": "is given twice, as id and as _id"}
    assert prepare("movies", {**FILM, "id": ""})["_id"] == "tm1"


@pytest.mark.parametrize("character", ["\0", "\x01", "\x0b", "\x1f", "\x7f", "\x85"])
def test_control_characters_are_refused(character: str) -> None:
    reason = "holds a control character"
    assert errors("movies", {**FILM, "description": f"a{character}b"}) == {"description": reason}
    assert errors("movies", {**FILM, "genres": [f"a{character}b"]}) == {"genres": reason}


def test_line_breaks_and_tabs_are_no_control_characters() -> None:
    assert prepare("movies", {**FILM, "description": "a\n\tb\r\nc"})["description"] == "a\n\tb\r\nc"
