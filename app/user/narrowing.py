"""The filters of a search: read from the address, and shown as words and links.

The parameters are `type`, `genre`, `decade` (1990) and `country`, each at most once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import url_for
from werkzeug.datastructures import MultiDict

from app.db.core import BadQuery
from app.db.search import Counts, Facets, Narrow
from app.web.query import single

KIND_WORDS = {"MOVIE": "Films", "SHOW": "Series"}
GROUPS = {"type": "Type", "genre": "Genre", "decade": "Decade", "country": "Country"}  # parameter: heading
DECADE_DIGITS = 4
CHOICES_SHOWN = 30  # per facet
VALUE_MAX = 200  # characters; no genre or country is longer
_ON_PAGE = {"facets": "yes"}  # in an address: the facets are on the page


class Choice(NamedTuple):
    """A value of a facet: its name, the number of films it leaves (None: not counted), and its link."""

    text: str
    films: int | None
    chosen: bool
    url: str


class Group(NamedTuple):
    """The choices of one facet and their heading."""

    name: str
    heading: str
    choices: list[Choice]


def narrow_from(args: MultiDict[str, str]) -> Narrow:
    """The filters in an address. Empty values are ignored.

    Raises:
        BadQuery: a parameter is given twice or too long, or the decade isn't a year.
    """
    values = {name: single(args, name).strip() for name in GROUPS}
    if too_long := [name for name, value in values.items() if len(value) > VALUE_MAX]:
        raise BadQuery(f"{too_long[0]} is too long")
    decade = values["decade"]
    if decade and not (decade.isascii() and decade.isdigit() and len(decade) == DECADE_DIGITS):
        raise BadQuery("decade must be a year like 1990")
    return Narrow(
        kind=values["type"] or None,
        genre=values["genre"] or None,
        decade=int(decade) if decade else None,
        country=values["country"] or None,
    )


def parameters(narrow: Narrow) -> dict[str, Any]:
    """The address parameters for these filters."""
    values = {"type": narrow.kind, "genre": narrow.genre, "decade": narrow.decade, "country": narrow.country}
    return {name: str(value) for name, value in values.items() if value is not None}


def words(name: str, value: str | int) -> str:
    """A value as pages show it: SHOW is "Series", 1990 is "1990s"."""
    if name == "type":
        return KIND_WORDS.get(str(value), str(value))
    return f"{value}s" if name == "decade" else str(value)


def filters(text: str, narrow: Narrow, *, on_page: bool) -> list[Choice]:
    """The active filters, each with the address of the search without it. `on_page` as for `groups`."""
    chosen = parameters(narrow)
    kept = chosen | _ON_PAGE if on_page else chosen
    return [Choice(words(name, value), None, True, _url(text, kept, {name: None})) for name, value in chosen.items()]


def groups(text: str, narrow: Narrow, facets: Facets, *, on_page: bool) -> list[Group]:
    """The facets as links that add a filter, or remove an active one.

    If they are `on_page` (without JavaScript), they are on the linked pages too. Leaves out values that all films
    have, and facets without other values.
    """
    chosen = parameters(narrow) | (_ON_PAGE if on_page else {})
    counted = {
        "type": facets.kinds,
        "genre": facets.genres,
        "decade": sorted(facets.decades, reverse=True),
        "country": facets.countries,
    }
    found = []
    for name, heading in GROUPS.items():
        if choices := _choices(text, chosen, name, counted[name], facets.counted):
            found.append(Group(name, heading, choices))
    return found


def _choices(text: str, chosen: dict[str, Any], name: str, values: Counts, all_films: int) -> list[Choice]:
    """Only the chosen value of an active facet, as counts are of films that have it; otherwise values that narrow."""
    choices = []
    for value, films in values:
        on = chosen.get(name) == str(value)
        if on or (name not in chosen and films < all_films):
            url = _url(text, chosen, {name: None if on else str(value)})
            choices.append(Choice(words(name, value), films, on, url))
    return choices[:CHOICES_SHOWN]


def _url(text: str, chosen: dict[str, Any], change: dict[str, str | None]) -> str:
    return url_for("films.search", **{**chosen, **change, "q": text})
