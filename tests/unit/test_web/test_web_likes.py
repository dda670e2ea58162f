"""Likes, the catalogue without liked films, the likes page, and recommendations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_visitor import PASSWORD, XSS, Visitor, with_session

from app.db.accounts import users
from app.db.likes import likes
from ops.local_cluster import LocalCluster

Find = Callable[[str], str]
SCRIPT = {"X-Requested-With": "like"}
TEXT = st.characters(exclude_categories=["Cs"])  # lone surrogates can't be sent


@pytest.fixture
def member(visitor: Visitor, new_name: str) -> Visitor:
    """Somebody with an account of the name `new_name`, logged in."""
    users.sign_up(new_name, PASSWORD)
    return with_session(visitor, new_name)


def titles(page: str) -> list[str]:
    return re.findall(r'card-title">([^<]*)<', page)


def ranks(page: str) -> list[int]:
    return [int(rank) for rank in re.findall(r'"card-rank">(\d+)', page)]


def token(visitor: Visitor) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', visitor.get("/account").text)
    assert found
    return found[1]


def press(visitor: Visitor, film: str, like: str = "yes", next: str = "/catalogue") -> str:
    """As a browser without JavaScript; gives the page that it ends on."""
    answer = visitor.send(f"/films/{film}/like", {"like": like, "next": next}, form_on="/account")
    assert answer.status_code == 302
    return visitor.get(answer.location).text


def test_a_liked_film_leaves_the_catalogue(member: Visitor) -> None:
    assert titles(member.get("/catalogue").text)[0] == "The Long Film"
    page = press(member, "Q1")
    assert '“The Long Film” was added to <a href="/likes">your likes</a>' in page
    assert "The Long Film" not in titles(page)
    assert titles(page)[0] == "A Film, Long Ago"
    assert ranks(page) == list(range(1, 101)), "the gap is filled"
    kept = member.get("/catalogue?liked=show").text
    assert titles(kept)[0] == "The Long Film"
    assert kept.count('aria-pressed="true"') == 1
    undo = re.search(r'form="likes" formaction="/films/Q1/like" name="like" value="no">Undo<', page)
    assert undo, "undo works without JavaScript"
    page = press(member, "Q1", "no")
    assert "“The Long Film” was removed from your likes" in page
    assert titles(page)[0] == "The Long Film"
    assert "The film was added to" in press(member, "made-up")


def test_liking_is_idempotent(member: Visitor, new_name: str, user_id: Find, library: LocalCluster) -> None:
    for _ in range(2):
        press(member, "Q2")
    with library.client() as client:
        found = client.movie_library.user_interactions.find({"user_id": user_id(new_name)}).to_list()
    assert [row["movie_id"] for row in found] == ["Q2"]
    for _ in range(2):
        press(member, "Q2", "no")
    assert likes.count(user_id(new_name)) == 0


def test_scripts_get_json(member: Visitor, new_name: str, user_id: Find) -> None:
    form = {"csrf_token": token(member), "like": "yes", "next": "/"}
    answer = member.post("/films/Q1/like", form, headers=SCRIPT)
    assert (answer.status_code, json.loads(answer.text)) == (200, {"liked": True})
    assert likes.liked(user_id(new_name)) == {"Q1"}
    assert "was added" not in member.get("/catalogue").text, "likes.js shows its own message"
    with member.client.session_transaction() as session:
        session.pop("_user_id")
    answer = member.post("/films/Q1/like", form, headers=SCRIPT)
    assert (answer.status_code, json.loads(answer.text)) == (401, {"log_in": "/log-in?next=/&like=Q1"})


def test_a_like_after_the_session_has_ended_leads_to_the_log_in_page(
    member: Visitor, new_name: str, user_id: Find
) -> None:
    """Its token ended with the session, and reloading the page wouldn't help."""
    form = {"csrf_token": token(member), "like": "yes", "next": "/catalogue"}
    stale = {**form, "csrf_token": "another session's"}
    assert member.post("/films/Q1/like", stale, headers=SCRIPT).status_code == 400, "logged in, the token counts"
    with member.client.session_transaction() as session:
        session.clear()
    log_in = "/log-in?next=/catalogue&like=Q1"
    answer = member.post("/films/Q1/like", form, headers=SCRIPT)
    assert (answer.status_code, json.loads(answer.text)) == (401, {"log_in": log_in})
    assert member.post("/films/Q1/like", form).location == log_in
    assert member.post("/films/Q1/like", {**form, "next": ["//evil.example", "/"]}).status_code == 302
    assert likes.count(user_id(new_name)) == 0


@pytest.mark.parametrize(
    ("film", "form"),
    [
        ("Q1", {"like": "maybe"}),
        ("Q1", {}),
        ("Q1", {"like": ["yes", "no"]}),
        ("Q1", {"like": "yes", "next": ["/", "/catalogue"]}),
        ("a b", {"like": "yes"}),
        ("$ne", {"like": "no"}),
        ("x" * 65, {"like": "yes"}),
    ],
)
def test_invalid_likes(member: Visitor, new_name: str, user_id: Find, film: str, form: dict[str, str]) -> None:
    assert member.send(f"/films/{film}/like", form, form_on="/account").status_code == 400
    assert likes.count(user_id(new_name)) == 0


def test_a_like_never_leads_to_another_site(member: Visitor) -> None:
    answer = member.send("/films/Q1/like", {"like": "no", "next": "//evil.example"}, form_on="/account")
    assert answer.location == "/films/Q1"


def test_a_like_before_logging_in_is_saved_after_it(visitor: Visitor, new_name: str, user_id: Find) -> None:
    users.sign_up(new_name, PASSWORD)
    page = visitor.get("/catalogue?genre=drama").text
    found = re.search(r'class="like" href="([^"]+)like=Q1"[^>]*aria-label="Like The Long Film"', page)
    assert found
    log_in = found[1].replace("&amp;", "&") + "like=Q1"
    assert "“The Long Film” will be added to your likes" in visitor.get(log_in).text
    assert visitor.send(log_in, {"username": new_name, "password": "wrong password"}).status_code == 422
    assert likes.count(user_id(new_name)) == 0
    answer = visitor.send(log_in, {"username": new_name, "password": PASSWORD})
    assert answer.location == "/catalogue?genre=drama"
    assert "“The Long Film” was added to your likes" in visitor.get(answer.location).text
    assert likes.liked(user_id(new_name)) == {"Q1"}


def test_liking_a_missing_film_while_logging_in(visitor: Visitor, new_name: str, user_id: Find) -> None:
    users.sign_up(new_name, PASSWORD)
    answer = visitor.send("/log-in?like=nope", {"username": new_name, "password": PASSWORD})
    assert answer.location == "/"
    assert likes.count(user_id(new_name)) == 0


def test_a_link_never_likes_a_film(member: Visitor, new_name: str, user_id: Find) -> None:
    for path in ("/log-in", "/sign-up"):
        answer = member.get(f"{path}?like=Q1&next=/catalogue")
        assert (answer.status_code, answer.location) == (302, "/films/Q1")
        assert "Press Like again to add “The Long Film” to your likes" in member.get(answer.location).text
    assert likes.count(user_id(new_name)) == 0
    likes.like(user_id(new_name), "Q1")
    assert "again" not in member.get(member.get("/log-in?like=Q1").location).text


@pytest.mark.parametrize(
    ("query", "there", "absent"),
    [
        ("genre=drama", "The Long Film", "A Film, Long Ago"),
        ("decade=1960", "A Film, Long Ago", "The Long Film"),
        ("genre=comedy&decade=1960", "A Film, Long Ago", "The Long Film"),
    ],
)
def test_the_catalogue_is_narrowed(visitor: Visitor, query: str, there: str, absent: str) -> None:
    page = visitor.get(f"/catalogue?{query}").text
    assert there in titles(page)
    assert absent not in titles(page)
    assert ranks(page)[0] == 1


def test_an_empty_catalogue_offers_a_way_on(member: Visitor) -> None:
    page = member.get("/catalogue?genre=nothing").text
    assert "<h1>No such genre</h1>" in page
    assert 'href="/catalogue"' in page
    none = member.get("/catalogue?genre=drama&decade=2190").text
    assert "No matches for drama, 2190s. Try" in none, "likes aren't the reason here"
    press(member, "Q1")
    assert "films you already like" in member.get("/catalogue?genre=drama&decade=1950").text


def test_the_catalogue_has_pages(visitor: Visitor) -> None:
    seen: list[str] = []
    address: str | None = "/catalogue"
    while address:
        page = visitor.get(address).text
        assert ranks(page)[0] == len(seen) + 1
        seen += titles(page)
        link = re.search(r'rel="next" href="([^"]+)"', page)
        address = link and link[1].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) > 120
    assert len(titles(visitor.get("/catalogue?rows=1").text)) == 1


@pytest.mark.parametrize(
    "query",
    ["rank=0", "rank=x", "rank=1&rank=2", "rows=101", "rows=-1", "rows=%D9%A5", "decade=1987", "decade=x", "after=x"],
)
def test_invalid_queries_of_the_catalogue(visitor: Visitor, query: str) -> None:
    assert visitor.get(f"/catalogue?{query}").status_code == 400


def test_likes_in_every_order(member: Visitor, new_name: str, user_id: Find) -> None:
    assert "No likes yet" in member.get("/likes").text
    for film in ("Q2", "Q1", "Q3"):
        likes.like(user_id(new_name), film)
    script = "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; &#39;Sons&#39;"
    long, ago = "The Long Film", "A Film, Long Ago"
    orders = {
        "": [script, long, ago],
        "?sort=first": [ago, long, script],
        "?sort=latest": [script, ago, long],
        "?sort=earliest": [long, ago, script],
        "?sort=rating": [long, ago, script],
    }
    for query, order in orders.items():
        page = member.get(f"/likes{query}").text
        assert titles(page) == order, query
        assert XSS not in page
    assert "Your taste" in page
    assert member.get("/likes?sort=password").status_code == 400
    assert member.get("/likes?after=x").status_code == 400
    assert titles(press(member, "Q1", "no", "/likes")) == [script, ago]


def test_missing_films_are_not_counted(member: Visitor, new_name: str, user_id: Find) -> None:
    for film in ("Q1", *(f"made-up-{n}" for n in range(49))):
        likes.like(user_id(new_name), film)
    first = member.get("/likes").text
    assert ">1 film<" in first
    assert ">1 film<" in member.get("/account").text
    assert titles(first) == []
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link, "the existing film can be reached"
    assert titles(member.get(link[1].replace("&amp;", "&")).text) == ["The Long Film"]


def test_the_former_address_redirects(visitor: Visitor) -> None:
    for query in ("", "?sort=title&after=x"):
        answer = visitor.get(f"/my-films{query}")
        assert (answer.status_code, answer.location) == (301, f"/likes{query}")


def test_likes_are_private(member: Visitor, new_name: str, user_id: Find) -> None:
    likes.like(user_id("ann"), "N001")
    assert "Numbered 1" not in titles(member.get("/likes").text)
    likes.unlike(user_id("ann"), "N001")


def test_recommendations_have_reasons(visitor: Visitor, new_name: str, user_id: Find) -> None:
    anonymous = visitor.get("/for-you").text
    assert "Top-rated: " in anonymous
    assert "Log in" in anonymous
    users.sign_up(new_name, PASSWORD)
    with_session(visitor, new_name)
    assert "liked any films yet" in visitor.get("/for-you").text
    likes.like(user_id(new_name), "Q1")
    page = visitor.get("/for-you").text
    assert "that go with the 1 film" in page
    assert "Once you like three films" in page
    assert "The Long Film" not in titles(page)
    assert page.count('class="card-reason"') == len(titles(page)) > 0


def test_a_film_page_has_links(visitor: Visitor) -> None:
    page = visitor.get("/films/Q1").text
    assert 'href="/people/p3">Dan Director</a>' in page
    assert 'href="/catalogue?genre=drama"' in page
    assert 'href="/log-in?next=/films/Q1&amp;like=Q1"' in page


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/catalogue", "/likes", "/for-you", "/films/Q1"]),
    query=st.dictionaries(
        st.sampled_from(["genre", "decade", "liked", "after", "rank", "rows", "sort", "like"]),
        st.text(TEXT, max_size=30) | st.integers().map(str),
    ),
)
def test_no_query_is_a_server_error(member: Visitor, path: str, query: dict[str, str]) -> None:
    assert member.get(path, query_string=query).status_code in {200, 400}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(film=st.text(TEXT, min_size=1, max_size=70), next=st.text(TEXT, max_size=40))
def test_no_like_is_a_server_error(member: Visitor, film: str, next: str) -> None:
    answer = member.send(f"/films/{quote(film)}/like", {"like": "no", "next": next}, form_on="/account")
    assert 300 <= answer.status_code < 500
