"""Search by words, prefixes and phrases; top lists; one film with its credits."""

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from app.db import operations
from app.db.core import BadQuery, NotFound
from app.db.search import film_search

TITLES = (
    "The Matrix",
    "The Matrix Reloaded",
    "Amélie",
    "Dark Knight, The",
    "The Dark Knight Rises",
    "A Knight in the Dark",
    "C++ (and $regex) [sic] .*",
    "Ocean's Eleven",
    "Darkness",
    "Fast & Furious",
    "The Fast and the Furious",
)

Add = Callable[..., None]


def found(text: str) -> set[str]:
    return {row["title"] for row in film_search.search_movies(text).rows}


@pytest.fixture
def films(add_films: Add) -> None:
    add_films(*TITLES)


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("matrix", {"The Matrix", "The Matrix Reloaded"}),
        ("MATRIX rel", {"The Matrix Reloaded"}),
        ("rel matrix", set()),  # only the last word may be unfinished
        ("reloaded matrix", {"The Matrix Reloaded"}),
        ("amelie", {"Amélie"}),
        ("AMÉL", {"Amélie"}),
        ("oceans", {"Ocean's Eleven"}),
        ("ocean\u2019s eleven", {"Ocean's Eleven"}),
        ("dark", {"Dark Knight, The", "The Dark Knight Rises", "A Knight in the Dark", "Darkness"}),
        ('"dark"', {"Dark Knight, The", "The Dark Knight Rises", "A Knight in the Dark"}),
        ('"dark knight"', {"Dark Knight, The", "The Dark Knight Rises"}),
        ('"the dark"', {"The Dark Knight Rises", "A Knight in the Dark"}),
        ('"dark kni"', set()),  # a phrase is made of whole words
        ("\u201cdark kni\u201d", set()),  # as phones type quotes
        ("\u00ab the dark \u00bb", {"The Dark Knight Rises", "A Knight in the Dark"}),
        ('"knight" ris', {"The Dark Knight Rises"}),
        ('ris "knight"', set()),  # a word before a phrase is finished
        ('rises "dark knight', {"The Dark Knight Rises"}),  # the quote has no partner and so means nothing
        ("nothing like this", set()),
        ("fast and fur", {"Fast & Furious", "The Fast and the Furious"}),  # a sign is an "and"
        ("fast & fur", {"Fast & Furious", "The Fast and the Furious"}),
        ("dark and knight", {"Dark Knight, The", "The Dark Knight Rises"}),  # as if there were a sign
        ("knight and rises", {"The Dark Knight Rises"}),
        ("dark and rises", set()),
        ('"fast and furious"', set()),
    ],
)
@pytest.mark.usefixtures("films")
def test_words_and_phrases(text: str, titles: set[str]) -> None:
    assert found(text) == titles


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        *((text, "") for text in (".*", "^", "(", "[", "\\", "%", "\x00", '"', '" "', "  ")),
        *(("mat.*", "mat"), ("m.trix", "m trix"), ("^matrix$", "matrix"), ("(a+)+$", "a"), ("$ne", "ne")),
    ],
)
@pytest.mark.usefixtures("films")
def test_metacharacters_have_no_meaning(text: str, same_as: str) -> None:
    assert found(text) == found(same_as)


@pytest.mark.usefixtures("films")
def test_nothing_to_search_for_finds_nothing() -> None:
    assert found("") == set()


@pytest.mark.usefixtures("films")
def test_metacharacters_do_not_hide_what_is_between_them() -> None:
    assert found("c++ $regex [sic]") == {"C++ (and $regex) [sic] .*"}


@pytest.mark.parametrize("text", [{"$ne": None}, ["matrix"], None, 5, b"matrix", {"$regex": "."}])
@pytest.mark.usefixtures("database")
def test_non_strings_are_refused(text: Any) -> None:
    with pytest.raises(BadQuery):
        film_search.search_movies(text)


@pytest.mark.parametrize("text", ["x" * 201, "a " * 100, "\u00e9" * 10_000_000, '"' + "a b " * 20])
@pytest.mark.usefixtures("database")
def test_too_much_text_is_refused(text: str) -> None:
    with pytest.raises(BadQuery, match="at most"):
        film_search.search_movies(text)


@pytest.mark.usefixtures("database")
def test_bad_limits_are_refused() -> None:
    for limit in (0, -1, 501, True, "5", 1.0, None):
        with pytest.raises(BadQuery, match="limit"):
            film_search.search_movies("x", limit=limit)  # type: ignore[arg-type]


def test_the_best_ranked_come_first_and_pages_join_without_gap_or_repeat(add_films: Add) -> None:
    add_films(*({"title": f"Film {n}", "imdb_score": n % 7, "imdb_votes": 1000} for n in range(25)))
    rows, after = [], None
    while True:
        page = film_search.search_movies("film", limit=4, after=after)
        assert (page.total, page.total_is_estimate) == (25, False)
        rows += page.rows
        after = page.next
        if after is None:
            break
    assert len({row["_id"] for row in rows}) == 25
    scores = [row["ranking_score"] for row in rows]
    assert scores == sorted(scores, reverse=True)


def test_a_beginning_is_looked_up_in_the_index(database: Database[dict[str, Any]], add_films: Add) -> None:
    add_films(*(f"Common{n} word{n}" for n in range(300)), "Zebra crossing")
    database.command("profile", 2)
    assert found("zeb") == {"Zebra crossing"}
    database.command("profile", 0)
    entry = database["system.profile"].find_one({"op": "query", "ns": f"{database.name}.movies"})
    database.drop_collection("system.profile")
    assert entry is not None
    assert entry["keysExamined"] < 5
    assert entry["docsExamined"] < 5


def test_details_hold_the_credits_in_order(add_films: Add) -> None:
    """By role, then the best known first."""
    add_films("One", "Two", "Three")
    for name, role in (("Zoe", "ACTOR"), ("Bo", "ACTOR"), ("Al", "ACTOR"), ("Wim", "WRITER"), ("Dora", "DIRECTOR")):
        operations.insert_credit({"movie_id": "f001", "name": name, "role": role})
    operations.insert_credit({"movie_id": "f003", "name": "Zoe", "role": "ACTOR"})
    film = film_search.movie_details("f001")
    assert film["title"] == "One"
    assert [(c["role"], c["name"]) for c in film["credits"]] == [
        ("DIRECTOR", "Dora"),
        ("WRITER", "Wim"),
        ("ACTOR", "Zoe"),
        ("ACTOR", "Al"),
        ("ACTOR", "Bo"),
    ]
    assert film_search.movie_details("f002")["credits"] == []
    with pytest.raises(NotFound):
        film_search.movie_details("f004")
    for bad in ({"$ne": None}, None, 5, "x" * 65):
        with pytest.raises(BadQuery):
            film_search.movie_details(bad)  # type: ignore[arg-type]
