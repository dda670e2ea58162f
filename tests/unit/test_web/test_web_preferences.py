"""Finding a film by what it should be: any of type, genre, actor and director, all of them at once."""

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


def test_the_form_asks_for_nothing_at_first(visitor: Visitor) -> None:
    page = visitor.page("/find")
    assert titles(page) == []
    assert set(Form(page, "/find").values.values()) == {""}
    assert re.search(r'<option value="drama">drama</option>', page), "genres come from the data"
    known = {narrowing.KIND_WORDS[kind] for kind, _ in catalogue.choices().kinds}
    assert set(re.findall(r"<option [^>]*>(Films|Series)</option>", page)) == known, "types, too"


def test_empty_wishes_are_none(visitor: Visitor) -> None:
    """In the original an empty name matched everybody."""
    page = visitor.page("/find", type="", genre="", actor=" ", director="", actor_id="")
    assert titles(page) == []
    assert "Begin anew" not in page


@pytest.mark.parametrize(
    ("wishes", "found"),
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
def test_all_wishes_hold_at_once(visitor: Visitor, wishes: dict[str, str], found: list[str]) -> None:
    """In the original an actor or a director was enough."""
    assert titles(visitor.page("/find", **wishes)) == found


def test_the_three_best_and_then_the_others(visitor: Visitor) -> None:
    page = visitor.page("/find", type="MOVIE")
    best = titles(page)
    assert best[:2] == ["The Long Film", "A Film, Long Ago"]
    assert len(best) == 3
    link = re.search(r'rel="next" href="([^"]+)">See more', page)
    assert link
    more = titles(visitor.get(unescape(link[1])).text)
    assert more
    assert not set(best) & set(more)


def test_what_was_asked_for_stays_in_the_form(visitor: Visitor) -> None:
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


def test_somebody_else_is_found_when_the_name_is_changed_without_a_script(visitor: Visitor) -> None:
    """The id of whoever was found before is still in the form then."""
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
def test_a_form_sent_again_asks_for_what_can_be_read_in_it(visitor: Visitor, times: list[dict[str, str]]) -> None:
    page = visitor.page("/find")
    for filled_in in times:
        sent = Form(page, "/find").values | filled_in
        page = visitor.page("/find", **sent)
        read = {name: value for name, value in sent.items() if not name.endswith("_id")}
        assert titles(page) == titles(visitor.page("/find", **read))


def test_an_unknown_name_is_said_beside_its_box(visitor: Visitor) -> None:
    page = visitor.page("/find", director="Nobody Atall", genre="drama")
    assert re.search(r'id="find-director"[^>]*aria-invalid="true" aria-describedby="find-director-error"', page)
    assert "Nobody of this name" in page
    assert "Did you mean" not in page


def test_a_name_spelled_wrong_leads_to_the_right_one(visitor: Visitor) -> None:
    page = visitor.page("/find", director="Dan Direktor", genre="drama")
    assert "Nobody called <q>Dan Direktor</q>" in page
    assert "No film is all of that" not in page
    link = re.search(r'Did you mean <a href="([^"]+)">Dan Director</a>', page)
    assert link
    assert titles(visitor.get(unescape(link[1])).text) == ["The Long Film"]


def test_no_film_offers_wishes_that_would_find_some(visitor: Visitor) -> None:
    page = visitor.page("/find", genre="comedy", actor="Ann Actor")
    assert "No film is all of that" in page
    ways = dict(re.findall(r'<li><a href="(/find[^"]+)">([^<]+)</a>', page))
    assert sorted(ways.values()) == ["Films and series: comedy (1 film)", "Films and series: with Ann Actor (1 film)"]
    for address in ways:
        assert len(titles(visitor.get(unescape(address)).text)) == 1


def test_a_name_of_several_people_means_all_of_them_and_says_so(visitor: Visitor) -> None:
    page = visitor.page("/find", actor="ann")
    assert titles(page) == ["The Long Film", "Numbered 1"]
    assert "may be several people" in page
    ways = re.findall(r'<a href="(/find[^"]+)">Ann (?:Actor|Other) \(1 film\)</a>', page)
    assert [titles(visitor.get(unescape(way)).text) for way in ways] == [["The Long Film"], ["Numbered 1"]]


@pytest.mark.parametrize(
    "query",
    ["type=BOOK", "genre=a&genre=b", "actor=a%00", "genre=drama&after=x", f"actor={'a' * 201}"],
)
def test_bad_wishes(visitor: Visitor, query: str) -> None:
    assert visitor.get(f"/find?{query}").status_code == 400
