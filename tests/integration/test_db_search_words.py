"""The words of titles and names: counting, noting single ones, corrections and suggestions."""

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from app.db import operations
from app.db.core import BadQuery, listing
from app.db.films import person_directory
from app.db.search import Narrow, correct, derived, facets, film_search, planning, spelling, suggestions, word_counts
from app.db.search.film_search import MAX_CORRECTIONS

Add = Callable[..., None]
Raw = Database[dict[str, Any]]

NO_TEXT = ({"$ne": None}, ["x"], None, 5, b"x", "x" * 201, "a " * 100)


def counts(database: Raw) -> dict[str, tuple[int, int]]:
    return {row["_id"]: (row["films"], row["people"]) for row in database.search_words.find()}


@pytest.fixture
def films(add_films: Add) -> None:
    add_films(
        {"title": "The Godfather", "release_year": 1972, "imdb_score": 9, "imdb_votes": 1000, "genres": ["drama"]},
        {"title": "God Bless", "release_year": 1990, "imdb_score": 8, "imdb_votes": 1000, "genres": ["drama", "war"]},
        {"title": "The Rag of Gods", "type": "SHOW", "release_year": 1999, "imdb_score": 9.5, "imdb_votes": 1000},
        {"title": "Spider Man", "production_countries": ["US", "FR"]},
        {"title": "Matrix"},
        {"title": "Marx"},
        {"title": "Marx Again"},
        {"title": "Rocky IV"},
        {"title": "Rambo 2"},
    )
    operations.insert_credit({"movie_id": "f001", "name": "Godric Marlowe", "role": "ACTOR"})
    operations.insert_credit({"movie_id": "f002", "name": "Godric Marlowe", "role": "DIRECTOR"})
    derived.refresh()


@pytest.mark.usefixtures("films")
def test_words_are_counted_in_titles_and_names(database: Raw) -> None:
    found = counts(database)
    assert (found["the"], found["god"], found["marlowe"]) == ((2, 0), (1, 0), (0, 1))
    assert word_counts.refresh() == 0
    assert database.search_words.find_one({"_id": "marx"}, {"near": 1}) == {
        "_id": "marx",
        "near": ["marx", "arx", "mrx", "max", "mar"],
    }


@pytest.mark.usefixtures("films")
def test_words_follow_changes_of_films(database: Raw) -> None:
    operations.insert_one("movies", {"_id": "n", "title": "Matrix Unbound", "type": "MOVIE"})
    assert counts(database)["unbound"] == (1, 0)
    operations.delete_document("movies", "n")
    operations.delete_document("movies", "f005")
    assert word_counts.refresh() == 2
    assert counts(database).keys().isdisjoint({"unbound", "matrix"})


def test_a_word_that_is_taken_in_while_all_are_counted_stays(database: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    word_counts.note(["old", "older"])
    word_counts.note(["counted"], of_name=True)
    database.people.insert_many([{"_id": person, "words": ["counted"]} for person in ("p1", "p2")])
    real = word_counts._count

    def count(collection: str, field: str) -> dict[str, int]:
        if collection == "movies":
            word_counts.note(["old", "new", "counted"])
        return real(collection, field)

    monkeypatch.setattr(word_counts, "_count", count)
    word_counts.refresh()
    assert counts(database) == {"old": (1, 0), "new": (1, 0), "counted": (1, 1)}
    monkeypatch.setattr(word_counts, "_count", real)
    word_counts.refresh()
    assert counts(database) == {"counted": (0, 2)}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("godfahter", "godfather"),
        ("the godfther", "the godfather"),
        ("the GODFATEHR", "the godfather"),
        ("matrx", "matrix"),  # and not "marx", though that is as near
        ("marlow godrick", "marlowe godric"),
        ("spiderman", "spider man"),
        ("god father", "godfather"),
        ("rocky 4", "rocky iv"),
        ("rambo ii", "rambo 2"),
        ("arxm", None),  # two mistakes, as "marx", are too many for a short word
        ("god matrix", None),  # known words, and no title has all, nor has one that is like it
        ("xyzzy", None),
        ("", None),
        ("...", None),
        ("one two three four five six seven", None),
        ("x" * 200, None),
    ],
)
@pytest.mark.usefixtures("films")
def test_the_nearest_text_that_finds_something_is_offered(text: str, meant: str | None) -> None:
    assert correct(text) == meant


@pytest.mark.usefixtures("films")
def test_a_correction_takes_few_look_ups_and_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_for = []
    find = person_directory.find

    def counted(text: str, **options: Any) -> list[dict[str, Any]]:
        looked_for.append(text)
        return find(text, **options)

    monkeypatch.setattr(person_directory, "find", counted)
    assert correct("godric marlowe marx godfather agani") is None
    assert len(looked_for) <= MAX_CORRECTIONS
    assert correct("godfahter") == "godfather"
    monkeypatch.setattr(planning, "FEW", -1)
    monkeypatch.setattr(listing, "UNINDEXED_TIMEOUT_S", 1e-6)
    assert correct("godfahter") is None
    tried: list[film_search.Search] = []

    def no_hits(self: film_search.Search) -> bool:
        tried.append(self)
        return False

    monkeypatch.setattr(film_search.Search, "hits", no_hits)
    monkeypatch.setattr(spelling, "nearest", lambda *_: ["one", "two", "three"])
    for patience, tries in ((60, 3), (-1, 1)):
        monkeypatch.setattr(film_search, "MAX_CORRECTING_S", patience)
        tried.clear()
        assert correct("godfahter") is None
        assert len(tried) == tries


@pytest.mark.usefixtures("films")
def test_titles_and_people_are_suggested_by_what_is_typed() -> None:
    assert suggestions.suggest("god") == [
        suggestions.Suggestion("film", "f001", "The Godfather", "1972"),  # begins so, as "The" doesn't count
        suggestions.Suggestion("film", "f002", "God Bless", "1990"),
        suggestions.Suggestion("film", "f003", "The Rag of Gods", "1999 show"),
        suggestions.Suggestion(
            "person", suggestions.suggest("godric")[0].id, "Godric Marlowe", "director, actor, 2 films"
        ),
    ]
    assert [one.text for one in suggestions.suggest("god", limit=2)] == ["The Godfather", "Godric Marlowe"]
    assert [one.text for one in suggestions.suggest("god bless")] == ["God Bless"]
    assert [one.text for one in suggestions.suggest("mar god")] == ["Godric Marlowe"]
    operations.insert_credit({"movie_id": "f001", "name": "Ofelia Gray", "role": "ACTOR"})
    assert [one.text for one in suggestions.suggest("of g", limit=2)] == ["The Rag of Gods", "Ofelia Gray"]
    assert [one.text for one in suggestions.suggest("of g", limit=1)] == ["The Rag of Gods"]  # enough without her
    for nothing in ("", "  ", "...", "xyzzy"):
        assert suggestions.suggest(nothing) == []


def test_a_series_is_suggested_from_its_first_part(add_films: Add) -> None:
    rated = {"The Godfather Part II": 9.5, "Godzilla": 9, "The Godfather": 8, "Godfather Drosselmeyer": 7}
    add_films(*({"title": title, "imdb_score": score, "imdb_votes": 1000} for title, score in rated.items()))
    derived.refresh()
    found = [one.text for one in suggestions.suggest("god")]
    assert found == ["The Godfather", "The Godfather Part II", "Godzilla", "Godfather Drosselmeyer"]


@pytest.mark.usefixtures("films")
def test_shorter_texts_leave_out_common_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spelling.shorter("\u201crag gods\u201d") == ["rag gods", "gods", "rag"]
    monkeypatch.setattr(spelling, "MIN_FREQUENT", 1)
    found = spelling.shorter("The x Godric Marlowe xyzzy of")
    assert found[:2] == ["Godric Marlowe xyzzy of", "Godric Marlowe of"], "without the frequent, then the unknown"
    assert "Godric Marlowe" in found
    assert not {"The", "x"} & set(found)
    assert spelling.shorter("the") == spelling.shorter("...") == spelling.shorter("") == []


@pytest.mark.usefixtures("films")
def test_the_nearest_name_is_of_somebody_with_the_role() -> None:
    assert spelling.nearest_name("godrik marlow", "ACTOR") == "Godric Marlowe"
    assert spelling.nearest_name("godrik marlow", "WRITER") is None
    assert spelling.nearest_name("xyzzy", "ACTOR") is None
    with pytest.raises(BadQuery):
        spelling.nearest_name("x" * 201, "ACTOR")


@pytest.mark.usefixtures("films")
def test_what_a_search_finds_is_counted_by_facets() -> None:
    found = facets.count("god")
    assert (found.kinds, found.genres) == ([("MOVIE", 2), ("SHOW", 1)], [("drama", 2), ("war", 1)])
    assert (found.decades, found.counted, found.complete) == ([(1990, 2), (1970, 1)], 3, True)
    assert facets.count("spider").countries == [("FR", 1), ("US", 1)]
    assert facets.count("god", Narrow(genre="war")).decades == [(1990, 1)]
    assert facets.count("xyzzy") == facets.Facets([], [], [], [], 0, True)


@pytest.mark.usefixtures("films")
def test_facets_say_when_there_are_more_films_than_were_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facets, "MAX_COUNTED", 2)
    found = facets.count("god")
    assert (found.counted, found.complete, found.genres) == (2, False, [("drama", 1)])
    monkeypatch.setattr(facets, "MAX_COUNTED", 3)
    assert facets.count("god").complete


@pytest.mark.parametrize("call", [correct, suggestions.suggest, facets.count])
@pytest.mark.usefixtures("database")
def test_non_strings_are_refused(call: Callable[[Any], object]) -> None:
    for text in NO_TEXT:
        with pytest.raises(BadQuery):
            call(text)
