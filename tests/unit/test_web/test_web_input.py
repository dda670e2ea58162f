"""Requests are validated before they reach a query, and stored data is escaped on pages."""

from __future__ import annotations

import html
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_visitor import PASSWORD, XSS, Visitor

OPERATORS = [
    {"username[$ne]": "", "password[$ne]": ""},
    {"username": '{"$ne": null}', "password": '{"$ne": null}'},
    {"username[]": "ann", "password[]": PASSWORD},
    {"username": ["nobody", "ann"], "password": ["x", PASSWORD]},
    {"username.$gt": "", "password": PASSWORD},
]


@pytest.mark.parametrize("data", OPERATORS)
def test_operators_in_the_log_in_form_are_no_log_in(visitor: Visitor, data: dict[str, str]) -> None:
    assert visitor.send("/log-in", data).status_code == 422
    assert visitor.get("/account").status_code == 302


def test_json_is_no_form(visitor: Visitor) -> None:
    body = {"username": {"$ne": None}, "password": {"$ne": None}}
    assert visitor.post("/log-in", json=body).status_code == 400


@pytest.mark.parametrize("query", ["q[$ne]=x", "q[]=film", "Q=film"])
def test_other_parameters_are_no_search(visitor: Visitor, query: str) -> None:
    response = visitor.get(f"/search?{query}")
    assert response.status_code == 200
    assert "Films for" not in response.text


@pytest.mark.parametrize(
    "address",
    ["/search?q=film&q=long", "/search?q=film&after=a&after=b", "/search?q=film&after=garbage", "/search?q=a%00b"],
)
def test_bad_queries_of_the_user_app(visitor: Visitor, address: str) -> None:
    assert visitor.get(address).status_code == 400


@pytest.mark.parametrize(
    ("page", "query"), [("/catalogue", "after=x"), ("/films/Q1", ""), ("/find", "genre=a&after=x")]
)
def test_an_outdated_link_offers_to_start_over(visitor: Visitor, page: str, query: str) -> None:
    answer = visitor.get(f"{page}?{query}")
    assert (answer.status_code == 400) == bool(query)
    assert ("This link is no longer valid; start over." in answer.text) == bool(query)
    assert (f'href="{page}">Start over</a>' in answer.text) == bool(query)


@pytest.mark.parametrize(
    "query",
    [
        "sort=password_hash",
        "sort=$where",
        "sort=description",
        "sort=title&sort=_id",
        "dir=sideways",
        "rows=51",
        "rows=-1",
        "rows=1e2",
        "rows=%D9%A5%D9%A0",
        "after=%7B%7D",
        "after=a&before=b",
        "before=" + "A" * 3000,
    ],
)
def test_bad_queries_of_the_admin_app(boss: Visitor, query: str) -> None:
    assert boss.get(f"/collections/movies?{query}").status_code == 400


@pytest.mark.parametrize(
    "name", ["sessions", "admin_sessions", "posters", "system.users", "$cmd", "movies.files", ".."]
)
def test_only_the_four_collections_have_a_list(boss: Visitor, name: str) -> None:
    assert boss.get(f"/collections/{name}").status_code == 404


def test_huge_input_is_refused(visitor: Visitor) -> None:
    assert visitor.post("/log-in", {"username": "a" * 70_000}).status_code == 413
    assert visitor.post("/log-in", {f"field{n}": "x" for n in range(5_000)}).status_code in {400, 413}
    response = visitor.get(f"/search?q={'a' * 201}")
    assert response.status_code == 400
    assert "at most 200" in response.text
    assert visitor.get(f"/films/{'a' * 5000}").status_code in {400, 404}


def test_what_is_stored_is_escaped(visitor: Visitor) -> None:
    pages = [visitor.get(path).text for path in ("/", "/catalogue", "/search?q=sons", "/films/Q3")]
    for page in pages:
        assert html.escape(XSS).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
        assert "<script>alert" not in page
        assert "<b>war" not in page
        assert "<i>Eve" not in page


def test_what_is_stored_is_escaped_for_admins(boss: Visitor) -> None:
    pages = [boss.get("/collections/movies").text, boss.get("/collections/credits").text]
    assert "&lt;script&gt;" in pages[0]
    assert "&lt;i&gt;Eve" in pages[1]
    for page in pages:
        assert "<script>alert" not in page
        assert "<i>Eve" not in page


def test_what_is_asked_is_escaped(visitor: Visitor) -> None:
    for query in ('"><script>alert(1)</script>', "<img src=x onerror=alert(1)>"):
        assert query not in visitor.get(f"/search?{urlencode({'q': query})}").text
    assert 'value="%41"' in visitor.get("/search?q=%2541").text, "decoded twice"
    assert "49" not in visitor.get("/search?q={{7*7}}").text.split("<main")[1]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=220), after=st.none() | st.text(max_size=60))
def test_no_search_is_an_error_of_ours(visitor: Visitor, text: str, after: str | None) -> None:
    try:
        query = urlencode({"q": text, **({"after": after} if after is not None else {})})
    except UnicodeEncodeError:  # lone surrogates can't be sent
        return
    assert visitor.get(f"/search?{query}").status_code in {200, 400}
