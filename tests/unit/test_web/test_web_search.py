"""Search: suggestions, facets, corrections, people, and messages for no or too many matches."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_visitor import Visitor, titles

from app.db.core import TooSlow, listing
from app.db.search import facets as db_facets
from app.db.search import film_search, planning

# -- suggestions


def test_films_and_people_are_suggested_with_their_pages(visitor: Visitor) -> None:
    response = visitor.get("/suggest?q=long")
    assert response.json == {
        "suggestions": [
            {"kind": "film", "id": "Q1", "text": "The Long Film", "detail": "1950", "url": "/films/Q1"},
            {"kind": "film", "id": "Q2", "text": "A Film, Long Ago", "detail": "1960", "url": "/films/Q2"},
        ]
    }
    assert "max-age" in response.headers["Cache-Control"]
    assert "Set-Cookie" not in response.headers
    (person,) = visitor.get("/suggest?q=director+da").json["suggestions"]
    assert (person["kind"], person["text"], person["url"]) == ("person", "Dan Director", "/people/p3")


@pytest.mark.parametrize("query", ["", "q=", "q=%20", "q=%22%22", f"q={'a' * 201}", "q=zzzzzz"])
def test_empty_texts_have_no_suggestions(visitor: Visitor, query: str) -> None:
    assert visitor.get(f"/suggest?{query}").json == {"suggestions": []}


# -- narrowing


def facets(page: str) -> dict[str, tuple[str, str]]:
    """Words of each choice -> its number of films and its address."""
    found = re.findall(
        r'<a href="([^"]+)"[^>]*><span class="facet-value">(?:<span.*?</span>)?([^<]+)</span> '
        r'<span class="facet-count">([\d,]+)',
        page,
    )
    return {unescape(words): (count, unescape(address)) for address, words, count in found}


def test_links_add_and_remove_filters(visitor: Visitor) -> None:
    page = visitor.page("/search", q="long film", facets="yes")
    assert {words: count for words, (count, _) in facets(page).items()} == {
        "comedy": "1",
        "drama": "1",
        "1960s": "1",
        "1950s": "1",
    }
    narrowed = visitor.get(facets(page)["1950s"][1]).text
    assert titles(narrowed) == ["The Long Film"]
    chip = re.search(r'class="filter" href="([^"]+)"><span[^>]*>Remove the filter </span>1950s', narrowed)
    assert chip
    assert len(titles(visitor.get(unescape(chip[1])).text)) == 2


def test_facets_on_the_page_stay_on_linked_pages(visitor: Visitor) -> None:
    page = visitor.page("/search", q="numbered", facets="yes")
    narrowed = visitor.get(facets(page)["1950s"][1]).text
    assert facets(narrowed)["1950s"][0] == "10"
    chip = re.search(r'class="filter" href="([^"]+)"', narrowed)
    assert chip
    assert facets(visitor.get(unescape(chip[1])).text).keys() == facets(page).keys()


def test_partial_counts_are_marked(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db_facets, "MAX_COUNTED", 20)
    monkeypatch.setattr(film_search, "MAX_COUNTED", 20)
    page = visitor.page("/search", q="numbered 1", facets="yes")
    assert page.index("Counts cover the best 20 films") < page.index('"facet-value"')
    assert "More than 20 films" in page


def test_films_are_shown_if_counting_takes_too_long(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def count(*_: object) -> None:
        raise TooSlow

    monkeypatch.setattr(db_facets, "count", count)
    page = visitor.page("/search", q="long film", facets="yes")
    assert len(titles(page)) == 2
    assert "By type, genre, decade or country" in page


def test_a_page_after_the_last_film_links_back(visitor: Visitor) -> None:
    link = re.search(r'rel="next" href="([^"]+)"', visitor.page("/search", q="numbered"))
    assert link
    end = re.sub(r"after=\d\.", "after=3.", unescape(link[1]))  # as if that list had no more films
    page = visitor.get(end).text
    assert "There are no more films" in page
    assert "spelling" not in page


def test_facets_are_an_html_fragment(visitor: Visitor) -> None:
    page = visitor.page("/search", q="numbered", decade="1950")
    address = re.search(r'data-facets="([^"]+)"', page)
    assert address
    piece = visitor.get(unescape(address[1])).text
    assert "<html" not in piece
    count, back = facets(piece)["1950s"]
    assert count == "10"
    assert 'aria-current="true"' in piece
    assert back == "/search?q=numbered"


def test_filters_without_matches_can_be_removed(visitor: Visitor) -> None:
    page = visitor.page("/search", q="long film", genre="western")
    assert "No film matches" in page
    assert re.search(r'Without the filter: <a href="/search\?q=long\+film">2 films', page)


def test_further_pages_keep_the_filters(visitor: Visitor) -> None:
    page = visitor.page("/search", q="numbered", type="MOVIE")
    link = re.search(r'rel="next" href="([^"]+)"', page)
    assert link
    assert "type=MOVIE" in link[1]
    assert not set(titles(page)) & set(titles(visitor.get(unescape(link[1])).text))


@pytest.mark.parametrize(
    "query", ["type=BOOK", "decade=195", "decade=1955", "decade=%D9%A1990", "genre=a&genre=b", f"country={'a' * 201}"]
)
def test_invalid_filters(visitor: Visitor, query: str) -> None:
    assert visitor.get(f"/search?q=film&{query}").status_code == 400
    assert visitor.get(f"/search/facets?q=film&{query}").status_code == 400


# -- people, corrections, limits


def test_people_are_found_with_their_films(visitor: Visitor) -> None:
    page = visitor.page("/search", q="ann actor")
    assert re.search(r'<a href="/people/p2">Ann Actor <span class="quiet">1 film', page)
    assert titles(page) == ["The Long Film"]


def test_a_typo_is_corrected_visibly(visitor: Visitor) -> None:
    page = visitor.page("/search", q="numbreed")
    assert "No matches for <q>numbreed</q>. Showing films for <q>numbered</q>" in page
    assert len(titles(page)) == 24
    assert re.search(r'rel="next" href="[^"]*[?;]q=numbered"', page), "further pages are those of the corrected text"


def test_people_of_a_corrected_name_are_shown(visitor: Visitor) -> None:
    page = visitor.page("/search", q="ann aktor")
    assert "Showing films for <q>ann actor</q>" in page
    assert re.search(r'<a href="/people/p2">Ann Actor <span class="quiet">1 film', page)


def test_a_slow_search_is_stopped_with_advice(user_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "FEW", -1)
    monkeypatch.setattr(listing, "UNINDEXED_TIMEOUT_S", 1e-6)
    visitor = Visitor(user_app)
    response = visitor.get("/search?q=numbered")
    assert response.status_code == 503
    assert "Add a word" in response.text
    assert 'value="numbered"' in response.text, "the text is kept"
    assert "Ask for less at once" in visitor.get("/search/facets?q=numbered").text


# -- any request


TEXT = st.text(max_size=60) | st.sampled_from(["film", '"', "the", "$ne", "1990", "p2", "MOVIE", "a" * 300, "\x00"])
NAMES = st.sampled_from(
    [
        "q",
        "type",
        "genre",
        "decade",
        "country",
        "after",
        "facets",
        "actor",
        "actor_id",
        "director",
        "director_id",
        "role",
    ]
)
PATHS = st.sampled_from(["/search", "/search/facets", "/suggest", "/suggest/people", "/find", "/people/p2"])


@given(path=PATHS, query=st.lists(st.tuples(NAMES, TEXT), max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_query_breaks_a_page(visitor: Visitor, path: str, query: list[tuple[str, str]]) -> None:
    pairs = [(name, value.encode("utf-8", "ignore").decode()) for name, value in query]
    response = visitor.get(path, query_string=pairs)
    assert response.status_code in {200, 400}
