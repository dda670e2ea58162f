"""A hundred queries in the real catalogue, and the films that must be among the first three."""

from pathlib import Path

import pytest

from app.db.films import ranking
from app.db.records import bulk
from app.db.search import correct, derived, search_movies
from app.db.transfer import Sample
from ops.artifacts import sample_wheel

QUERIES = Path(__file__).with_name("search_quality.tsv")
FIRST = 3


@pytest.fixture
def catalogue() -> None:
    """All films, and who directed them: whole casts take ten times as long to load."""
    sample = Sample(sample_wheel())
    bulk.load("movies", enumerate(sample.films()))
    ranking.recompute()
    bulk.load("credits", enumerate(credit for credit in sample.credits() if credit["role"] == "DIRECTOR"))
    derived.refresh()


@pytest.mark.usefixtures("database", "catalogue")
def test_what_people_look_for_is_among_the_first_three() -> None:
    lines = [line for line in QUERIES.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert len(lines) >= 100
    missed = {}
    for line in lines:
        text, films = line.split("\t")
        found = first(text)
        if not found.issuperset(films.split("; ")):
            missed[text] = found
    assert missed == {}


def first(text: str) -> set[str]:
    """The first films that somebody gets to see who types this: those of another spelling, if there are none."""
    rows = search_movies(text, limit=FIRST).rows
    if not rows and (other := correct(text)):
        rows = search_movies(other, limit=FIRST).rows
    return {f"{row['title']} ({row['release_year']})" for row in rows}
