"""A taste in words, and what is for it: no stronger than what is known."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask, get_template_attribute
from web_visitor import Visitor

from app.db.likes import likes
from app.db.likes.taste import Profile, Trait


def said(app: Flask, films: int = 14, **traits: list[Trait]) -> str:
    """The sentences about somebody who likes so many films, without markup."""
    empty: dict[str, list[Trait]] = {sort: [] for sort in ("genres", "decades", "countries", "directors", "actors")}
    with app.test_request_context():
        page = get_template_attribute("user/taste.html", "taste_of")(Profile(films, **{**empty, **traits}))
    return " ".join(re.sub("<[^>]+>", "", page).split())


def test_people_are_counted_before_they_are_a_habit(user_app: Flask) -> None:
    people = [Trait("Ann", 5), Trait("Bo", 4), Trait("Cy", 3)]
    assert "You return to films by Ann and Bo. You have liked three films by Cy." in said(user_app, directors=people)
    people = [Trait("Ann", 3), Trait("Bo", 2)]
    assert "You have liked three films with Ann and two with Bo." in said(user_app, actors=people)
    assert "again" not in said(user_app, actors=people)
    assert "again and again: Ann." in said(user_app, actors=[Trait("Ann", 4)])


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
    assert f"You like what comes from {words}." in said(user_app, countries=[Trait(name, 5, 2.0)])


def test_too_little_to_tell_is_said_as_such(user_app: Flask) -> None:
    assert "Your 14 films say too little yet" in said(user_app)
    assert "One film says too little yet" in said(user_app, films=1)


def test_what_is_for_somebody_counts_films_that_are_there_and_claims_nobody_else_s_likes(
    visitor: Visitor, new_name: str, user_id: Callable[[str], str]
) -> None:
    visitor.sign_up(new_name)
    for film in ("gone1", "gone2", "gone3"):
        likes.like(user_id(new_name), film)
    assert "liked a film yet" in visitor.page("/for-you")
    likes.like(user_id(new_name), "Q1")
    page = visitor.page("/for-you")
    assert "What is rated best" in page
    assert ">you like</a>. From the third heart on" in page
