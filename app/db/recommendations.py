"""What somebody may like, and why: from what people with the same taste like, and from what the films are.

The first can say nothing of a film that hardly anybody has liked: every CONTENT_EVERY-th place goes to the second, and
all the places that the first can't fill. Liked films are in neither.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal

from app.db import favourites, neighbours, similar
from app.db.catalogue import BY_RANK, CARD
from app.db.connection import Row, driver_errors, get_collection
from app.db.listing import check_limit
from app.recommender.content import Likeness, likeness
from app.recommender.diversity import diverse
from app.recommender.scoring import best

PROFILE = 100  # liked films, the latest ones: taste changes
COMPARED = 10  # of these, by content
CONTENT_EVERY = 4
POOL = 200  # best rated films that a newcomer's are chosen from
MOST_TITLES = 2  # named in a reason


@dataclass(frozen=True)
class Reason:
    """Why a film is recommended; what it names really is what contributed most.

    - "liked": people who like `titles` like it, too
    - "director", "cast", "genre": it has `name` (a person, or a genre) in common with `titles`, which the user likes
    - "popular": many people like it
    - "best": it is among the best rated, and brings in the genre `name`
    """

    kind: Literal["liked", "director", "cast", "genre", "popular", "best"]
    titles: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Recommendation:
    """A film as `catalogue.CARD_FIELDS`, and why."""

    film: Row
    reason: Reason


@driver_errors()
def for_user(user_id: str, limit: int = 24) -> list[Recommendation]:
    """Up to `limit` films that the user may like, the most promising first, then those that anybody may like.

    Raises BadQuery for what can't be an id, or a bad limit.
    """
    check_limit(limit)
    profile = favourites.page(user_id, limit=PROFILE).rows
    if not profile:
        return for_newcomer(limit)
    liked = favourites.liked(user_id)
    by_taste = _by_taste(profile, liked, limit)
    excluded = liked | {found.film["_id"] for found in by_taste}
    by_content = _by_content(profile[:COMPARED], excluded)
    found = list(islice(_interleaved(by_taste, by_content), limit))
    return found + _best(limit - len(found), liked | {one.film["_id"] for one in found})


@driver_errors()
def for_newcomer(limit: int = 24) -> list[Recommendation]:
    """The best films by weighted rating, diverse over genres. Raises BadQuery for a bad limit."""
    check_limit(limit)
    return _best(limit, frozenset())


def _best(limit: int, excluded: Collection[str]) -> list[Recommendation]:
    if not limit:
        return []
    query = {"_id": {"$nin": list(excluded)}} if excluded else {}
    pool = list(get_collection("movies").find(query, CARD).sort(BY_RANK.keys(backwards=False)).limit(max(POOL, limit)))
    order = diverse([(film.get("ranking_score") or 0.0, film.get("genres") or []) for film in pool], limit)
    seen: set[str] = set()
    found = []
    for film in (pool[position] for position in order):
        genres = film.get("genres") or []
        name = next((genre for genre in genres if genre not in seen), "")
        seen |= set(genres)
        found.append(Recommendation(film, Reason("best", name=name)))
    return found


def _by_taste(profile: Sequence[Row], liked: Collection[str], limit: int) -> list[Recommendation]:
    """Those that people like who like the same."""
    titles = {film["_id"]: film["title"] for film in profile}
    known = neighbours.read(titles)
    if not len(known.priors):
        return []
    scored = best(known.rows, known.priors, known.places(liked), limit)
    ids = known.films(score.place for score in scored)
    films = similar.rows_of(ids.values())
    found = []
    for score in scored:
        if film := films.get(ids.get(score.place, "")):  # else it was deleted since
            carriers = tuple(titles[film] for film in score.carriers()[:MOST_TITLES])
            found.append(Recommendation(film, Reason("liked", carriers) if carriers else Reason("popular")))
    return found


def _by_content(profile: Sequence[Row], excluded: Collection[str]) -> list[Recommendation]:
    """Those that have people, genres, country and time in common with what the user likes, good ones first."""
    own = similar.traits(profile)
    others = similar.candidates(own, excluded)
    ranked = []
    for film_id, row in others.rows.items():
        found = {liked: likeness(own.features[liked], others.features[film_id]) for liked in own.rows}
        # Squares: much in common with one film says more than a little in common with each.
        worth = sum(alike.score**2 for alike in found.values()) * similar.quality(row)
        carrier = max(found, key=lambda liked: found[liked].score)
        ranked.append((-worth, film_id, Recommendation(row, _reason(own, carrier, found[carrier]))))
    return [recommendation for _, _, recommendation in sorted(ranked, key=lambda entry: entry[:2])]


def _reason(own: similar.Traits, liked: str, alike: Likeness) -> Reason:
    first = min(alike.shared, default="")
    return Reason(alike.kind, (own.rows[liked]["title"],), own.names.get(first, first))


def _interleaved(by_taste: Sequence[Recommendation], by_content: Sequence[Recommendation]) -> Iterator[Recommendation]:
    content = iter(by_content)
    for place, recommendation in enumerate(by_taste, 1):
        yield recommendation
        if place % (CONTENT_EVERY - 1) == 0:
            yield from islice(content, 1)
    yield from chain(content)
