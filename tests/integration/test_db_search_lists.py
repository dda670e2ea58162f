"""What a search finds and in which order: titles, people, both; narrowed, paged, with any index."""

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo.database import Database

from app.db import operations
from app.db.core import BadQuery
from app.db.search import Narrow, derived, film_search, planning, word_counts

Add = Callable[..., None]
Raw = Database[dict[str, Any]]

WORDS = ("man", "mane", "mantle", "in", "inn", "the", "moon", "moons", "red")


def rated(title: str, score: float, **fields: Any) -> dict[str, Any]:
    return {"title": title, "imdb_score": score, "imdb_votes": 1_000_000, **fields}


def titles(text: str, **options: Any) -> list[str]:
    return [row["title"] for row in film_search.search_movies(text, **options).rows]


def pages(text: str, limit: int, narrow: Narrow = film_search.ANY) -> Iterator[str]:
    """The ids of all films found, page by page."""
    after = None
    while True:
        page = film_search.search_movies(text, narrow=narrow, limit=limit, after=after)
        yield from (row["_id"] for row in page.rows)
        after = page.next
        if after is None:
            return
        assert len(page.rows) == limit


@pytest.fixture
def credited(add_films: Add) -> None:
    """Films of two people of one surname, both in the directory of people; one of them also has it in its title."""
    named = ("Jaws", "Lincoln", "The Big Fish", "Big Spielberg Documentary", "Lost World")
    add_films(*(rated(title, 8 - number) for number, title in enumerate(named)))
    for film in ("f001", "f002", "f005"):
        operations.insert_credit({"movie_id": film, "name": "Steven Spielberg", "role": "DIRECTOR"})
    operations.insert_credit({"movie_id": "f003", "name": "Sasha Spielberg", "role": "ACTOR"})
    operations.insert_credit({"movie_id": "f004", "name": "Steven Spielberg", "role": "ACTOR"})
    derived.refresh()


def test_the_exact_title_comes_first_with_or_without_an_article(add_films: Add) -> None:
    add_films(rated("Moonrise", 9), rated("Moon Man", 8), rated("The Moon", 5), rated("Moon, A", 4), rated("Moon", 3))
    assert titles("moon") == ["The Moon", "Moon, A", "Moon", "Moonrise", "Moon Man"]
    assert titles("the moon") == ["The Moon"]
    assert titles('"moon"') == ["The Moon", "Moon, A", "Moon", "Moon Man"]


@pytest.mark.usefixtures("credited")
def test_films_of_a_person_come_after_titles_each_film_once() -> None:
    assert titles("spielberg") == ["Big Spielberg Documentary", "Jaws", "Lincoln", "The Big Fish", "Lost World"]
    assert titles("steven spielb") == ["Jaws", "Lincoln", "Big Spielberg Documentary", "Lost World"]
    assert list(pages("spielberg", 1)) == ["f004", "f001", "f002", "f003", "f005"]
    page = film_search.search_movies("spielberg", limit=1)
    assert (page.total, page.total_is_estimate) == (5, False)


@pytest.mark.usefixtures("credited")
def test_a_name_and_words_of_the_title_are_tried_when_nothing_else_matches() -> None:
    assert titles("spielberg big fish") == ["The Big Fish"]
    assert titles("lincol spielberg") == titles("spielberg lincol") == ["Lincoln"]
    assert titles("spielberg big") == ["Big Spielberg Documentary"]  # a title has both, so nothing is mixed
    assert titles("steven fish") == []  # not his
    assert list(pages("steven l", 1)) == ["f002", "f005"]
    page = film_search.search_movies("steven l", limit=1)
    assert (page.total, page.total_is_estimate) == (2, False)


@pytest.mark.usefixtures("credited")
def test_two_names_find_the_films_of_both() -> None:
    for film in ("f002", "f003", "f005"):
        operations.insert_credit({"movie_id": film, "name": "Daniel Day-Lewis", "role": "ACTOR"})
    operations.insert_credit({"movie_id": "f001", "name": "Ann D.", "role": "ACTOR"})
    derived.refresh()
    for text in ("steven spielberg daniel day lewis", "day lewis steven", "steven and daniel"):
        assert titles(text) == ["Lincoln", "Lost World"], text
        page = film_search.search_movies(text, limit=1)
        assert (page.total, page.total_is_estimate) == (2, False)
    assert list(pages("steven daniel", 1)) == ["f002", "f005"]
    assert titles("steven daniel", narrow=Narrow(kind="SHOW")) == []
    assert titles("steven sasha") == titles("steven daniel sasha") == []  # nothing of all of them
    assert titles("steven d") == ["Big Spielberg Documentary"]  # an initial is no name


@pytest.mark.usefixtures("credited")
def test_a_total_is_an_estimate_where_counting_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_search, "MAX_COUNTED", 2)
    page = film_search.search_movies("spielberg", limit=1)
    assert page.total_is_estimate


@pytest.mark.usefixtures("credited")
def test_a_phrase_stays_together_in_one_title_or_one_name() -> None:
    assert titles('"steven spielberg"') == ["Jaws", "Lincoln", "Big Spielberg Documentary", "Lost World"]
    assert titles('"big spielberg"') == ["Big Spielberg Documentary"]
    for text in ('"spielberg steven"', '"steven spielb"', '"spielberg big fish"', '"spielberg jaws"', '"ls" spielberg'):
        assert (titles(text), film_search.people_named(text, 4)) == ([], [])
    assert [person["name"] for person in film_search.people_named('"steven spielberg"', 4)] == ["Steven Spielberg"]


def test_a_person_is_found_as_soon_as_the_first_credit_is_in(add_films: Add) -> None:
    add_films("Jaws")
    operations.insert_credit({"movie_id": "f001", "name": "Roy Scheider", "role": "ACTOR"})
    assert titles("roy scheider") == titles("scheider") == titles("roy ja") == ["Jaws"]


@pytest.mark.usefixtures("credited")
def test_a_page_link_leads_on_in_its_list_whatever_matches_meanwhile() -> None:
    first = film_search.search_movies("steven l", limit=1)
    operations.insert_one("movies", {"_id": "later", "title": "Steven L.", "type": "MOVIE"})
    second = film_search.search_movies("steven l", limit=1, after=first.next)
    assert [row["_id"] for page in (first, second) for row in page.rows] == ["f002", "f005"]
    assert titles("steven l") == ["Steven L."]


@pytest.mark.usefixtures("credited")
def test_a_page_that_was_emptied_meanwhile_is_empty_and_not_of_something_else() -> None:
    operations.insert_one("movies", {"_id": "other", "title": "Spielberg: Big Fish", "type": "MOVIE"})
    operations.insert_one("movies", {"_id": "another", "title": "Big Fish and Spielberg", "type": "MOVIE"})
    link = film_search.search_movies("spielberg big fish", limit=1).next
    operations.delete_document("movies", "other")
    operations.delete_document("movies", "another")
    assert titles("spielberg big fish", after=link) == []
    assert titles("spielberg big fish") == ["The Big Fish"]


def test_films_are_narrowed_by_each_facet_and_by_all(add_films: Add) -> None:
    one = {"genres": ["drama", "war"], "release_year": 1994, "production_countries": ["FR", "DE"]}
    add_films(
        rated("Red One", 8, **one),
        rated("Red Two", 7, **one | {"genres": ["comedy"]}),
        rated("Red Three", 6, **one | {"release_year": 2000}),
        rated("Red Four", 5, **one | {"production_countries": ["US"]}),
        rated("Red Five", 4, **one, type="SHOW"),
        rated("Blue", 9, **one),
    )
    derived.refresh()
    assert titles("red", narrow=Narrow(genre="war")) == ["Red One", "Red Three", "Red Four", "Red Five"]
    assert titles("red", narrow=Narrow(decade=1990)) == ["Red One", "Red Two", "Red Four", "Red Five"]
    assert titles("red", narrow=Narrow(country="DE")) == ["Red One", "Red Two", "Red Three", "Red Five"]
    assert titles("red", narrow=Narrow(kind="SHOW")) == ["Red Five"]
    assert titles("red one", narrow=Narrow(kind="SHOW")) == []
    assert titles("red", narrow=Narrow("MOVIE", "drama", 1990, "FR")) == ["Red One"]


@pytest.mark.parametrize(
    "narrow",
    [
        *(Narrow(kind=value) for value in ("FILM", "", {"$ne": 1}, ["SHOW"])),  # type: ignore[arg-type]
        *(Narrow(genre=value) for value in ("", "x" * 201, {"$ne": 1}, ["war"], 5)),  # type: ignore[arg-type]
        *(Narrow(country=value) for value in ("", "x" * 201, {"$ne": 1}, ["US"], 5)),  # type: ignore[arg-type]
        *(Narrow(decade=value) for value in (1995, -10, 10**9, "1990", True, 1990.0, {"$gt": 1})),  # type: ignore[arg-type]
    ],
)
@pytest.mark.usefixtures("database")
def test_what_nothing_can_be_narrowed_to_is_refused(narrow: Narrow) -> None:
    with pytest.raises(BadQuery):
        film_search.search_movies("x", narrow=narrow)


def test_page_links_that_no_page_gave_are_refused(add_films: Add) -> None:
    add_films("Red One", "Red Two")
    link = film_search.search_movies("red", limit=1).next
    assert link is not None
    for bad in ("", "0", "0.", "9" + link[1:], "-" + link, link[2:], link + "x", "\u0661" + link[1:], 5, {"$gt": ""}):
        with pytest.raises(BadQuery):
            film_search.search_movies("red", after=bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sorted_films", "endings"), [(10**9, 200), (0, 200), (0, 1)], ids=["sorted", "merged", "all films"]
)
def test_every_way_finds_the_same_films_in_the_same_order(
    add_films: Add, database: Raw, monkeypatch: pytest.MonkeyPatch, sorted_films: int, endings: int
) -> None:
    """Many with the same rating, some without any score yet, and pages of three: against titles compared in Python."""
    monkeypatch.setattr(planning, "MAX_SORTED", sorted_films)
    monkeypatch.setattr(word_counts, "MAX_ENDINGS", endings)
    chance = random.Random(5)
    texts = [" ".join(chance.choices(WORDS, k=chance.randint(1, 4))) for _ in range(60)]
    add_films(*(rated(text, number % 3 + 5, genres=[f"g{number % 2}"]) for number, text in enumerate(texts)))
    derived.refresh()
    database.movies.update_many({"imdb_score": 6}, {"$unset": {"ranking_score": 1}})
    for text in ("man", "ma", "in the m", "red moon", '"the moon"', '"red" moon', "the the", "moon man in"):
        for genre in (None, "g1"):
            expected = brute_force(database, text, genre)
            assert list(pages(text, 3, Narrow(genre=genre))) == expected, text


def brute_force(database: Raw, text: str, genre: str | None) -> list[str]:
    """The ids of the films whose title has all words of a text, quoted parts as they stand; exact titles first."""
    phrases = re.findall('"([^"]+)"', text)
    words = re.sub('"[^"]*"', "", text).split()
    needed = [rf"\b{phrase}\b" for phrase in [*phrases, *words[:-1]]] + [rf"\b{word}" for word in words[-1:]]
    title = text.replace('"', "")
    exact = [title, *(f"{article} {title}" for article in film_search.ARTICLES)]
    exact += [f"{title} {article}" for article in film_search.ARTICLES]
    films = [
        film
        for film in database.movies.find({"genres": genre} if genre else {})
        if all(re.search(pattern, film["title_norm"]) for pattern in needed) or film["title_norm"] in exact
    ]
    films.sort(key=lambda film: film["_id"], reverse=True)
    films.sort(key=lambda film: (film["title_norm"] in exact, film.get("ranking_score", -1)), reverse=True)
    return [film["_id"] for film in films]


def test_the_rarest_word_is_the_one_that_is_looked_up(add_films: Add, database: Raw) -> None:
    add_films(*(f"The Man {n}" for n in range(200)), "The Zebra Man")
    derived.refresh()
    database.command("profile", 2)
    assert titles("the man zebra") == titles("zebra the man") == ["The Zebra Man"]
    database.command("profile", 0)
    read = [row["docsExamined"] for row in database["system.profile"].find({"ns": f"{database.name}.movies"})]
    database.drop_collection("system.profile")
    assert read
    assert max(read) < 5
