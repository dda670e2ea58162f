"""Suggestions for a few typed letters: titles and people."""

from dataclasses import dataclass
from typing import Literal

from app.db.core import MAX_NAME, Row, check_limit, driver_errors, tokenize
from app.db.films import person_directory
from app.db.search.film_search import ARTICLES, Search

MAX_PEOPLE = 3
CANDIDATES = 16  # films by rank; those that begin with the text go first
ELSEWHERE = 2
SHOWN = {"title": 1, "title_norm": 1, "type": 1, "release_year": 1, "ranking_score": 1}


@dataclass(frozen=True)
class Suggestion:
    """A film or a person; `detail` distinguishes namesakes: year, or roles and number of films."""

    kind: Literal["film", "person"]
    id: str
    text: str
    detail: str


@driver_errors()
def suggest(text: str, limit: int = 8) -> list[Suggestion]:
    """Up to `limit` films and people whose titles and names have all words of `text`, the last as a prefix. In names
    every word may be a prefix ("leo di"), unless enough titles are found: searching people by such frequent prefixes as
    "in the" takes longer than a pause in typing.

    Films first: exact titles, then titles that begin with the text, then by rank; at least MAX_PEOPLE places are for
    people if there are as many. Raises BadQuery and TooSlow as `search_movies`.
    """
    check_limit(limit)
    found = Search(text).titles(CANDIDATES, SHOWN)
    tokens = tokenize(text)
    films = sorted(_series(found), key=lambda film: _closeness(film["title_norm"], tokens))
    few = len(films) < limit and not (films and _closeness(films[0]["title_norm"], tokens) < ELSEWHERE)
    people = person_directory.find(text, limit=limit, unfinished=few) if len(text) <= MAX_NAME else []
    films = films[: limit - min(len(people), MAX_PEOPLE)]
    return [*map(_film, films), *map(_person, people[: limit - len(films)])]


def _series(films: list[Row]) -> list[Row]:
    """Put each film before those whose titles extend its own: The Godfather before The Godfather Part II."""
    titles = [f"{film['title_norm']} " for film in films]
    places = [next(i for i, title in enumerate(titles) if title.startswith(own)) for own in titles]
    order = sorted(range(len(films)), key=lambda i: (places[i], len(titles[i])))
    return [films[i] for i in order]


def _closeness(title: str, tokens: list[str]) -> int:
    """0 for a title equal to the text, 1 for one that begins with it, ELSEWHERE for others; a leading article is
    ignored."""
    text = " ".join(tokens)
    titles = [title, *(title.removeprefix(f"{article} ") for article in ARTICLES)]
    return 0 if text in titles else 1 if any(one.startswith(text) for one in titles) else ELSEWHERE


def _film(film: Row) -> Suggestion:
    year = str(film.get("release_year") or "")
    return Suggestion("film", film["_id"], film["title"], f"{year} show".strip() if film["type"] == "SHOW" else year)


def _person(person: Row) -> Suggestion:
    films = "1 film" if person["films"] == 1 else f"{person['films']} films"
    return Suggestion("person", person["_id"], person["name"], ", ".join([*map(str.lower, person["roles"]), films]))
