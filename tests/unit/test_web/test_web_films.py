"""Films in the user app, without an account."""

from __future__ import annotations

import re

import pytest
from markupsafe import escape
from web_visitor import Visitor


def main_of(page: str) -> str:
    return page[page.index("<main") : page.index("</main>")]


def titles(page: str) -> list[str]:
    return re.findall(r'card-title">([^<]*)<', page)


@pytest.mark.parametrize("path", ["/", "/catalogue", "/search?q=film", "/films/Q1"])
def test_browsing_needs_no_account(visitor: Visitor, path: str) -> None:
    response = visitor.get(path)
    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers


def test_the_catalogue_lists_the_best_hundred(visitor: Visitor) -> None:
    page = visitor.get("/catalogue").text
    assert len(titles(page)) == 100
    assert titles(page)[:2] == ["The Long Film", "A Film, Long Ago"]
    assert re.findall(r'"card-rank">(\d+)', page) == [str(n) for n in range(1, 101)]


def test_scores_are_named_by_their_source(visitor: Visitor) -> None:
    critics, imdb = main_of(visitor.get("/films/Q1").text), main_of(visitor.get("/films/Q4").text)
    assert "Critics, Rotten Tomatoes" in critics
    assert "300 reviews" in critics
    assert "IMDb" not in critics
    assert "IMDb" in imdb
    assert "1,000 votes" in imdb
    assert "Rotten Tomatoes" not in imdb
    assert re.search(r"9\.9</b> critics", visitor.get("/catalogue").text)


def test_a_film_page_groups_people_by_role(visitor: Visitor) -> None:
    page = main_of(visitor.get("/films/Q1").text)
    order = ["Directed by", "Dan Director", "Written by", "Zoe Writer", "Cast", "Ann Actor", "as The Clerk"]
    found = [page.index(text) for text in order]
    assert found == sorted(found)
    assert "No credits yet" in visitor.get("/films/Q2").text


def test_an_unknown_film_is_404_with_a_way_on(visitor: Visitor) -> None:
    response = visitor.get("/films/nope")
    assert response.status_code == 404
    assert 'href="/catalogue"' in main_of(response.text)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("long film", {"The Long Film", "A Film, Long Ago"}),
        ('"long film"', {"The Long Film"}),
        ("LONG FI", {"The Long Film", "A Film, Long Ago"}),
        ("ete lodz", {"Été à Łódź"}),
        ("numbered 7", {"Numbered 7", *(f"Numbered {n}" for n in range(70, 80))}),
    ],
)
def test_search_by_words_and_phrases(visitor: Visitor, query: str, found: set[str]) -> None:
    page = visitor.get("/search", query_string={"q": query}).text
    assert set(titles(page)) == found
    count = f"{len(found)} film{'' if len(found) == 1 else 's'}"
    assert re.search(rf'role="status">{count}</p>', page)
    assert f'value="{escape(query)}"' in page, "the box keeps the text"


def test_results_have_pages(visitor: Visitor) -> None:
    seen: list[str] = []
    address: str | None = "/search?q=numbered"
    while address:
        page = visitor.get(address).text
        assert "120 films" in page
        seen += titles(page)
        link = re.search(r'rel="next" href="([^"]+)"', page)
        address = link and link[1].replace("&amp;", "&")
    assert sorted(seen) == sorted(f"Numbered {n}" for n in range(120))


def test_no_result_suggests_other_searches(visitor: Visitor) -> None:
    page = main_of(visitor.get("/search", query_string={"q": '"film long the" zzz'}).text)
    assert "No film matches" in page
    assert re.search(r'href="/search\?q=film\+long">film long</a> <span class="quiet">2 films', page)
    assert "zzz</a>" not in page
    assert 'href="/catalogue"' in page


def test_a_phrase_without_results_suggests_its_words(visitor: Visitor) -> None:
    page = main_of(visitor.get("/search", query_string={"q": '"film long the"'}).text)
    assert 'href="/search?q=film+long+the"' in page
    page = main_of(visitor.get("/search", query_string={"q": "\u201efilm long the\u201c"}).text)
    assert 'href="/search?q=film+long+the"' in page


@pytest.mark.parametrize(
    ("query", "a_word"),
    [("", False), ("  ", False), ('""', False), ("!?%", False), ("\U0001f3ac", False), ("七", True)],
)
def test_a_search_without_a_word_asks_for_one(visitor: Visitor, query: str, a_word: bool) -> None:
    page = visitor.page("/search", q=query)
    assert ("No film matches" in page) is a_word
    assert ("Type part of a title" in page) is not a_word


def test_a_long_text_is_cut_in_the_heading_and_not_in_the_box(visitor: Visitor) -> None:
    text = "long " * 19 + "zzz"
    page = visitor.page("/search", q=text)
    assert f'value="{text}"' in page
    heading = re.search("<h1>.*<q>(.*)</q></h1>", page)
    assert heading
    assert len(heading[1]) <= 60
    assert heading[1].endswith("long …")


def test_an_invalid_search_text_is_explained(visitor: Visitor) -> None:
    response = visitor.get("/search", query_string={"q": "a " * 21})
    assert response.status_code == 400
    assert ">A search text has at most 20 words.<" in response.text
