"""Finding films by preferences: type, genre, actor and director."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_form import Form
from web_visitor import Visitor, titles

from app.db.films import catalogue
from app.user import narrowing


def test_the_form_starts_empty(visitor: Visitor) -> None:
    page = visitor.page("/find")
    assert titles(page) == []
    assert set(Form(page, "/find").values.values()) == {""}
    assert re.search(r'<option value="drama">drama</option>', page), "genres come from the data"
    known = {narrowing.KIND_WORDS[kind] for kind, _ in catalogue.choices().kinds}
    assert set(re.findall(r"<option [^>]*>(Films|Series)</option>", page)) == known, "types, too"


def test_empty_preferences_are_ignored(visitor: Visitor) -> None:
    """In the original, an empty name matched everybody."""
    page = visitor.page("/find", type="", genre="", actor=" ", director="", actor_id="")
    assert titles(page) == []
    assert "Start over" not in page


@pytest.mark.parametrize(
    ("preferences", "found"),
    [
        ({"genre": "drama"}, ["The Long Film"]),
        ({"actor": "ann actor"}, ["The Long Film"]),
        ({"actor": "ACTOR"}, ["The Long Film"]),
        ({"actor_id": "p2", "actor": "Ann ACTOR"}, ["The Long Film"]),
        ({"actor_id": "p2", "actor": "Ann Other"}, ["Numbered 1"]),
        ({"actor_id": "p2", "genre": "comedy"}, ["A Film, Long Ago"]),
        ({"director": "Dan Director", "actor": "Ann Actor", "genre": "drama", "type": "MOVIE"}, ["The Long Film"]),
        ({"genre": "comedy", "actor": "Ann Actor"}, []),
        ({"actor": "Dan Director"}, []),
        ({"actor": "Ann Actor", "director": "Ann Actor"}, []),
    ],
)
def test_films_match_all_preferences(visitor: Visitor, preferences: dict[str, str], found: list[str]) -> None:
    """In the original, an actor or a director was enough."""
    assert titles(visitor.page("/find", **preferences)) == found


def test_the_best_three_and_then_the_others(visitor: Visitor) -> None:
    page = visitor.page("/find", type="MOVIE")
    best = titles(page)
    assert best[:2] == ["The Long Film", "A Film, Long Ago"]
    assert len(best) == 3
    link = re.search(r'rel="next" href="([^"]+)">More films', page)
    assert link
    more = titles(visitor.get(unescape(link[1])).text)
    assert more
    assert not set(best) & set(more)


def test_the_form_keeps_the_preferences(visitor: Visitor) -> None:
    page = visitor.page("/find", genre="drama", actor="ann act")
    assert Form(page, "/find").values == {
        "type": "",
        "genre": "drama",
        "actor": "Ann Actor",
        "actor_id": "p2",
        "director": "",
        "director_id": "",
    }
    assert "Films and series: drama, with Ann Actor" in page


def test_without_javascript_a_changed_name_overrides_the_id(visitor: Visitor) -> None:
    """The previous person's id is still in the form then."""
    form = Form(visitor.page("/find", actor="ann actor", type="MOVIE"), "/find").values
    assert form["actor_id"] == "p2"
    page = visitor.page("/find", **form | {"actor": "Ann Other"})
    assert titles(page) == ["Numbered 1"]
    assert Form(page, "/find").values["actor_id"] == "p5"
    page = visitor.page("/find", **form | {"actor": ""})
    assert titles(page) == titles(visitor.page("/find", type="MOVIE"))
    assert Form(page, "/find").values["actor_id"] == ""
    assert Form(visitor.page("/find", **form | {"actor": "ann"}), "/find").values["actor_id"] == ""


NAMES = st.sampled_from(["", "ann", "Ann Actor", "ann other", "Dan Director", "dan", "<i>Eve</i>", "nobody", "p2"])
FILLED_IN = st.fixed_dictionaries(
    {}, optional={"actor": NAMES, "director": NAMES, "type": st.sampled_from(["", "MOVIE"])}
)


@given(times=st.lists(FILLED_IN, min_size=2, max_size=4))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_form_sent_again_uses_its_visible_values(visitor: Visitor, times: list[dict[str, str]]) -> None:
    page = visitor.page("/find")
    for filled_in in times:
        sent = Form(page, "/find").values | filled_in
        page = visitor.page("/find", **sent)
        read = {name: value for name, value in sent.items() if not name.endswith("_id")}
        assert titles(page) == titles(visitor.page("/find", **read))


def test_an_unknown_name_is_reported_beside_its_field(visitor: Visitor) -> None:
    page = visitor.page("/find", director="Nobody Atall", genre="drama")
    assert re.search(r'id="find-director"[^>]*aria-invalid="true" aria-describedby="find-director-error"', page)
    assert "No one by this name" in page
    assert "Did you mean" not in page


def test_a_misspelled_name_suggests_the_right_one(visitor: Visitor) -> None:
    page = visitor.page("/find", director="Dan Direktor", genre="drama")
    assert "No one called <q>Dan Direktor</q>" in page
    assert "No film matches all of these" not in page
    link = re.search(r'Did you mean <a href="([^"]+)">Dan Director</a>', page)
    assert link
    assert titles(visitor.get(unescape(link[1])).text) == ["The Long Film"]


def test_no_match_suggests_fewer_preferences(visitor: Visitor) -> None:
    page = visitor.page("/find", genre="comedy", actor="Ann Actor")
    assert "No film matches all of these" in page
    links = dict(re.findall(r'<li><a href="(/find[^"]+)">([^<]+)</a>', page))
    assert sorted(links.values()) == ["Films and series: comedy (1 film)", "Films and series: with Ann Actor (1 film)"]
    for address in links:
        assert len(titles(visitor.get(unescape(address)).text)) == 1


def test_a_shared_name_matches_everyone_with_it(visitor: Visitor) -> None:
    page = visitor.page("/find", actor="ann")
    assert titles(page) == ["The Long Film", "Numbered 1"]
    assert "matches several people" in page
    links = re.findall(r'<a href="(/find[^"]+)">Ann (?:Actor|Other) \(1 film\)</a>', page)
    assert [titles(visitor.get(unescape(link)).text) for link in links] == [["The Long Film"], ["Numbered 1"]]


@pytest.mark.parametrize(
    "query",
    ["type=BOOK", "genre=a&genre=b", "actor=a%00", "genre=drama&after=x", f"actor={'a' * 201}"],
)
def test_invalid_preferences(visitor: Visitor, query: str) -> None:
    assert visitor.get(f"/find?{query}").status_code == 400
