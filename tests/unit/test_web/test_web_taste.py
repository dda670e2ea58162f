"""The taste in words, no stronger than the numbers support."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask, get_template_attribute
from web_visitor import Visitor

from app.db.likes import likes
from app.db.likes.taste import Profile, Trait


def said(app: Flask, films: int = 14, **traits: list[Trait]) -> str:
    """The sentences about a user who likes that many films, without markup."""
    empty: dict[str, list[Trait]] = {sort: [] for sort in ("genres", "decades", "countries", "directors", "actors")}
    with app.test_request_context():
        page = get_template_attribute("user/taste.html", "taste_of")(Profile(films, **{**empty, **traits}))
    return " ".join(re.sub("<[^>]+>", "", page).split())


def test_few_films_with_a_person_are_counted(user_app: Flask) -> None:
    people = [Trait("Ann", 5), Trait("Bo", 4), Trait("Cy", 3)]
    assert "You keep coming back to films by Ann and Bo. You like three films by Cy." in said(
        user_app, directors=people
    )
    people = [Trait("Ann", 3), Trait("Bo", 2)]
    assert "You like three films with Ann and two with Bo." in said(user_app, actors=people)
    assert "coming back" not in said(user_app, actors=people)
    assert "You keep coming back to films with Ann." in said(user_app, actors=[Trait("Ann", 4)])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("United States", "the United States"),
        ("Netherlands", "the Netherlands"),
        ("Czech Republic", "the Czech Republic"),
        ("USA", "the USA"),
        ("France", "France"),
        ("", ""),
    ],
)
def test_countries_have_their_articles(user_app: Flask, name: str, words: str) -> None:
    assert f"You like films from {words}." in said(user_app, countries=[Trait(name, 5, 2.0)])


def test_too_few_likes_show_no_taste(user_app: Flask) -> None:
    assert "14 films aren\u2019t enough" in said(user_app)
    assert "One film isn\u2019t enough" in said(user_app, films=1)


def test_recommendations_count_existing_films_only(
    visitor: Visitor, new_name: str, user_id: Callable[[str], str]
) -> None:
    visitor.sign_up(new_name)
    for film in ("gone1", "gone2", "gone3"):
        likes.like(user_id(new_name), film)
    assert "liked any films yet" in visitor.page("/for-you")
    likes.like(user_id(new_name), "Q1")
    page = visitor.page("/for-you")
    assert "Top-rated films, including" in page
    assert ">you like</a>. Once you like three films" in page
