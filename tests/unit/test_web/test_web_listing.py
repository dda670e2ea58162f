"""Lists: conditions, columns and saved views, all in the address."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from web_form import Form
from web_visitor import Visitor

from app.admin import records
from app.db.core import TooSlow
from ops.local_cluster import LocalCluster

MOVIES = "/collections/movies"


def titles(page: str) -> list[str]:
    return re.findall(r'<th class="cell-title" scope="row"><a [^>]*>\s*([^<]*?)\s*</a>', page)


def headings(page: str) -> list[str]:
    head = page.split("<thead>")[1].split("</thead>", maxsplit=1)[0]
    return [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<th[^>]*>(.*?)</th>", head, re.DOTALL)]


def listed(*conditions: str, **parameters: str) -> str:
    return f"{MOVIES}?{urlencode([*(('filter', text) for text in conditions), *parameters.items()])}"


def test_conditions_filter_rows_and_stay_in_links(boss: Visitor) -> None:
    page = boss.get(
        listed("release_year.between.1950..1969", "title.contains.film", sort="release_year", rows="25")
    ).text
    assert titles(page) == ["The Long Film", "A Film, Long Ago"]
    assert "2 records" in page
    assert "Year is between 1950 and 1969" in page
    assert 'Title contains film</a> <span class="quiet">(no index)' in page
    for link in re.findall(r"<thead>.*?</thead>", page, re.DOTALL)[0].split("href=")[1:]:
        assert "release_year.between.1950..1969" in html.unescape(link)
    for action in ("/collections/movies/bulk", "/collections/movies/views"):
        assert f'action="{action}"' in page
    assert page.count('name="filter" value="title.contains.film"') >= 4


def test_an_unindexed_filter_is_marked(boss: Visitor) -> None:
    assert "No index covers this filter" in boss.get(listed("title.contains.film")).text
    assert "No index covers this filter" not in boss.get(listed("title.contains.film", "release_year.eq.1950")).text


def test_a_condition_is_added_by_the_form(boss: Visitor) -> None:
    page = boss.get(listed("release_year.gte.1950")).text
    values = Form(page, MOVIES, "value").values
    added = boss.get(f"{MOVIES}?{urlencode({**values, 'field': 'title', 'operator': 'contains', 'value': 'a..b.c'})}")
    assert added.status_code == 302
    assert "filter=release_year.gte.1950&filter=title.contains.a..b.c" in added.location
    assert "field=" not in added.location


def test_an_invalid_condition_is_reported_and_kept(boss: Visitor) -> None:
    answer = boss.get(listed("release_year.gte.1950", field="runtime", operator="eq", value="long <b>"))
    assert answer.status_code == 422
    form = Form(answer.text, MOVIES, "value")
    assert "must be a whole number" in form.errors["filter"]
    assert (form.values["field"], form.values["operator"], form.values["value"]) == ("runtime", "eq", "long <b>")
    assert titles(answer.text)  # the list as it was


@pytest.mark.parametrize(
    "condition", ["release_year.eq.soon", "nope.eq.1", "title.near.1", "release_year.between.9..1"]
)
def test_a_wrong_condition_in_the_address_can_be_corrected(boss: Visitor, condition: str) -> None:
    answer = boss.get(listed("runtime.gt.1", condition))
    assert answer.status_code == 422
    assert "This list can" in answer.text
    assert "filter-chip-wrong" in answer.text
    (back,) = re.findall(r'class="filter-chip-remove" href="([^"]*runtime[^"]*)"', answer.text)
    assert boss.get(html.unescape(back)).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "filter=title",
        "filter=title.eq",
        "filter=a.b.c%00",
        "columns=password",
        "columns=title&columns=x",
        "last=1&after=x",
    ],
)
def test_invalid_addresses_are_refused(boss: Visitor, query: str) -> None:
    assert boss.get(f"{MOVIES}?{query}").status_code == 400


@pytest.mark.parametrize(
    "condition", ["password_hash.exists.yes", "password_hash.contains.argon", "title.$ne.x", "$where.eq.1"]
)
def test_secrets_and_operators_are_no_conditions(boss: Visitor, condition: str) -> None:
    answer = boss.get(f"/collections/users?{urlencode({'filter': condition})}")
    assert answer.status_code == 422
    assert titles(answer.text) == []


def test_a_condition_can_be_changed_in_the_form(boss: Visitor) -> None:
    page = boss.get(listed("release_year.gte.1960", "runtime.exists.no")).text
    change = re.findall(r'class="filter-chip-text" href="([^"]*)"', page)[0]
    answer = boss.get(html.unescape(change))
    assert answer.status_code == 200
    form = Form(answer.text, MOVIES, "value")
    assert (form.values["field"], form.values["operator"], form.values["value"]) == ("release_year", "gte", "1960")
    assert form.values["filter"] == "runtime.exists.no"


def test_no_matches_offer_the_whole_list(boss: Visitor) -> None:
    page = boss.get(listed("title.eq.Nope")).text
    assert "0 records" in page
    assert "No records match this condition" in page


def test_the_last_page_and_the_way_back_from_it(boss: Visitor) -> None:
    last = boss.get(listed("release_year.lt.1950", sort="title", rows="25", last="1")).text
    everything = boss.get(listed("release_year.lt.1950", sort="title", rows="200")).text
    assert titles(last) == titles(everything)[-25:]
    assert 'rel="next"' not in last
    assert 'rel="prev"' in last


def test_a_stopped_query_explains_what_helps(boss: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object, **__: object) -> None:
        raise TooSlow("given up")

    monkeypatch.setattr(records, "list_page", give_up)
    answer = boss.get(listed("title.contains.film"))
    assert answer.status_code == 422
    assert "The database stopped the query" in answer.text
    assert "Title, Year" in answer.text
    assert "Remove: Title contains film" in answer.text


def test_columns_are_chosen_and_remembered(boss: Visitor) -> None:
    assert "Genres" in headings(boss.get(MOVIES).text)
    chosen = boss.get(f"{MOVIES}?columns=runtime&columns=seasons").text  # as the form sends them
    assert headings(chosen) == ["Title", "Minutes", "Seasons"]
    assert headings(boss.get(MOVIES).text) == ["Title", "Minutes", "Seasons"]
    assert headings(boss.get("/collections/credits").text)[:2] == ["Name", "Role"]
    assert headings(boss.get(f"{MOVIES}?columns=_id,type").text) == ["Title", "Type", "ID"]
    assert headings(boss.get(f"{MOVIES}?columns=").text)[:3] == ["Title", "Year", "Type"]
    assert "Genres" in headings(boss.get(MOVIES).text)


def test_a_shared_address_brings_its_columns(boss: Visitor, root: Visitor) -> None:
    page = boss.get(f"{MOVIES}?columns=runtime").text
    (address,) = re.findall(r'<th scope="col" class="cell-title"[^>]*><a href="([^"]+)"', page)
    assert headings(root.get(html.unescape(address)).text) == ["Title", "Minutes"]


def test_an_invalid_address_is_explained(boss: Visitor) -> None:
    assert "Rows must be one of 25, 50, 100, 200." in boss.get(f"{MOVIES}?rows=7").text
    assert "Movies can&#39;t be sorted by &#39;&lt;b&gt;&#39;." in boss.get(f"{MOVIES}?sort=<b>").text


@pytest.fixture
def no_views(library: LocalCluster) -> Iterator[None]:
    yield
    with library.client() as client:
        client.movie_library.saved_views.delete_many({})


def save_view(visitor: Visitor, address: str, name: str, **more: str) -> str:
    """Save the list at an address; returns the page that it leads to."""
    values = Form(visitor.get(address).text, f"{MOVIES}/views").values
    answer = visitor.post(f"{MOVIES}/views", {**values, "view": name, **more})
    assert answer.status_code == 302
    return visitor.get(answer.location).text


def views(page: str) -> dict[str, str]:
    _, _, after = page.partition('<ul class="saved-views">')
    part, _, _ = after.partition("</ul>")
    return {
        html.unescape(name): html.unescape(address)
        for address, name in re.findall(r'<a href="([^"]+)">([^<]+)</a>', part)
    }


def test_a_list_is_saved_as_a_view(boss: Visitor, no_views: None) -> None:
    address = listed("release_year.gte.1950", "title.ne.a&b=c", sort="title", rows="25", columns="runtime")
    page = save_view(boss, address, " Long  <films> ")
    assert "The view “Long &lt;films&gt;” has been saved" in page
    assert list(views(page)) == ["Long <films>"]
    again = boss.get(views(page)["Long <films>"]).text
    assert headings(again) == ["Title", "Minutes"]
    assert "Title is not a&amp;b=c" in again
    assert views(boss.get("/collections/credits").text) == {}
    replaced = save_view(boss, MOVIES, "Long <films>")
    assert views(replaced)["Long <films>"] != views(page)["Long <films>"]
    assert len(views(replaced)) == 1


def test_a_view_is_private_unless_shared(boss: Visitor, root: Visitor, no_views: None) -> None:
    save_view(boss, MOVIES, "Mine")
    save_view(boss, MOVIES, "Ours", shared="1")
    page = root.get(MOVIES).text
    assert list(views(page)) == ["Ours"]
    assert "by boss" in page
    assert f'action="{MOVIES}/views/remove"' not in page
    root.send(f"{MOVIES}/views/remove", {"view": "Ours"}, form_on=MOVIES)
    assert list(views(boss.get(MOVIES).text)) == ["Mine", "Ours"]
    boss.send(f"{MOVIES}/views/remove", {"view": "Ours"}, form_on=MOVIES)
    assert list(views(boss.get(MOVIES).text)) == ["Mine"]
    assert views(root.get(MOVIES).text) == {}


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\u202eb"])
def test_a_view_needs_a_name(boss: Visitor, no_views: None, name: str) -> None:
    page = save_view(boss, MOVIES, name)
    assert "Give the view a name" in page
    assert views(page) == {}


def test_a_saved_view_is_validated_when_opened(boss: Visitor, no_views: None) -> None:
    page = save_view(boss, listed("runtime.eq.long"), "Wrong")
    assert boss.get(views(page)["Wrong"]).status_code == 422


def test_references_have_names(boss: Visitor, library: LocalCluster) -> None:
    page = boss.get("/collections/credits?sort=name&dir=desc").text
    assert re.search(r'href="/collections/movies/Q1"[^>]*>The Long Film</a>', page)
    with library.client() as client:
        credit = {"movie_id": "gone", "person_id": "p", "name": "Zzz", "role": "ACTOR"}
        client.movie_library.credits.insert_one(credit)
        try:
            assert (
                '<code>gone</code> <span class="quiet">(missing)'
                in boss.get("/collections/credits?sort=name&dir=desc").text
            )
        finally:
            client.movie_library.credits.delete_one({"movie_id": "gone"})


def test_navigation_shows_only_allowed_actions(boss: Visitor, root: Visitor) -> None:
    assert "Audit log" not in boss.get(MOVIES).text
    assert "Audit log" in root.get(MOVIES).text
    assert ">Delete…</button>" not in boss.get(MOVIES).text
    assert ">Delete…</button>" in root.get(MOVIES).text
