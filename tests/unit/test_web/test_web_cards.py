"""Cards are cached, but never outdated."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from web_visitor import XSS

from app.user.cards import FIELDS, card_html

FILM: dict[str, Any] = {
    "_id": "Q1",
    "title": "The Long Film",
    "type": "MOVIE",
    "release_year": 1950,
    "genres": ["drama"],
    "critics_score": 8.0,
    "poster": None,
}


def html_of(film: dict[str, Any]) -> str:
    return "".join(card_html(film))


def test_a_card_is_rendered_once(user_app: Flask) -> None:
    with user_app.test_request_context():
        assert card_html(FILM) is card_html({**FILM, "genres": ["drama"], "description": "not on cards"})


@pytest.mark.parametrize(
    ("field", "value", "shows"),
    [
        ("title", "Another Film", "Another Film"),
        ("type", "SHOW", "Series"),
        ("release_year", 1951, "1951"),
        ("genres", ["drama", "war"], "drama, war"),
        ("imdb_score", 7.5, "7.5</b> IMDb"),
        ("critics_score", 8.1, "8.1</b> critics"),
        ("poster", "v2", "/posters/Q1/v2-small.webp"),
        ("title", XSS, "&lt;script&gt;"),
    ],
)
def test_a_changed_film_gets_a_new_card(user_app: Flask, field: str, value: Any, shows: str) -> None:
    with user_app.test_request_context():
        before, after = html_of(FILM), html_of({**FILM, field: value})
    assert shows in after
    assert shows not in before
    assert "<script>" not in after


def test_a_film_with_only_a_title_has_a_card(user_app: Flask) -> None:
    with user_app.test_request_context():
        assert "Alone" in html_of({"_id": "Q9", "title": "Alone"})
    assert set(FILM) - {"genres"} <= set(FIELDS)
