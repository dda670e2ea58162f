"""People's pages, and suggestions of names."""

from __future__ import annotations

import re

import pytest
from web_visitor import Visitor


def test_a_persons_films_are_grouped_by_role(visitor: Visitor) -> None:
    page = visitor.get("/people/p3").text
    assert "Dan Director</h1>" in page
    assert re.findall(r'<h2 id="role-[a-z]+">([^<]+)</h2>', page) == ["Directed"]
    assert 'href="/films/Q1"' in page


def test_names_are_escaped(visitor: Visitor) -> None:
    page = visitor.get("/people/p4").text
    assert "&lt;i&gt;Eve&lt;/i&gt;</h1>" in page
    assert "<i>Eve" not in page


def test_an_unknown_person_is_404_with_a_way_on(visitor: Visitor) -> None:
    response = visitor.get("/people/p999")
    assert response.status_code == 404
    assert 'href="/"' in response.text


@pytest.mark.parametrize("person_id", ["$ne", "x" * 99, "%00", "p3%20", "%7B%22$gt%22:%22%22%7D"])
def test_malformed_ids_are_refused(visitor: Visitor, person_id: str) -> None:
    assert visitor.get(f"/people/{person_id}").status_code in {400, 404}


def test_names_are_suggested_by_role(visitor: Visitor) -> None:
    response = visitor.get("/suggest/people?q=DIR+da&role=DIRECTOR")
    assert response.json == {"people": [{"id": "p3", "name": "Dan Director", "detail": "1 film"}]}
    assert "max-age" in response.headers["Cache-Control"]
    assert visitor.get("/suggest/people?q=dan&role=ACTOR").json == {"people": []}
    assert visitor.get("/suggest/people?q=+").json == {"people": []}


@pytest.mark.parametrize("query", ["role=KING&q=dan", "q=a&q=b", f"q={'a' * 201}", "q=a%00"])
def test_invalid_requests_for_names(visitor: Visitor, query: str) -> None:
    assert visitor.get(f"/suggest/people?{query}").status_code == 400
