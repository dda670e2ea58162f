"""Recommendations with reasons: from what people with the same taste like, and from the films' content.

Likes say nothing about films that hardly anybody has liked, so every CONTENT_EVERY-th place goes to content. In a new
library, where likes say nothing at all, content fills the page once a user has ENOUGH likes; with fewer, the best rated
films come first. Liked films are never recommended.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal

from app.db.core import Row, check_limit, driver_errors, get_collection
from app.db.films import BY_RANK, CARD, person_directory, ranking
from app.db.likes import likes, neighbour_lists, similar_films
from app.recommender import content
from app.recommender.content import Likeness, likeness
from app.recommender.diversity import diverse, in_turns
from app.recommender.scoring import best

PROFILE = 100  # liked films, the latest ones: taste changes
ENOUGH = 3  # likes; with fewer, the best rated films are a better guess than content
COMPARED = 10  # of these, by content
CONTENT_EVERY = 4
CONTENT_EVERY_OF_BEST = 3  # these don't follow the user's taste, so content gets more places
MOST_OF_PERSON = 2  # of the films by content that share the same person
LEAST_OF_LIKED = 3  # of the films by content for one liked film; more if few films are liked
POOL = 200  # best rated films that a newcomer's are chosen from
MOST_TITLES = 2  # named in a reason
SHOWN_GENRES = 3  # of a film's genres on its card: the reason is one of them


@dataclass(frozen=True)
class Reason:
    """Why a film is recommended: what contributed most.

    - "liked": people who like `titles` like it too; shared genres add weight
    - "director", "cast", "genre", "writer": it shares `name` (a person or genre) with `titles`, which the user likes
    - "popular": many people like it
    - "best": it is among the best rated films of the genre `name`
    """

    kind: Literal["liked", "popular", "best"] | content.Kind
    titles: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Recommendation:
    """A film as `catalogue.CARD_FIELDS`, and why."""

    film: Row
    reason: Reason


@driver_errors()
def for_user(user_id: str, limit: int = 24) -> list[Recommendation]:
    """Up to `limit` films that the user may like, most promising first, then generally good ones.

    Raises BadQuery for an invalid id or limit.
    """
    check_limit(limit)
    profile = likes.page(user_id, limit=PROFILE).rows
    liked = likes.liked(user_id)
    if not profile:
        return _best(limit, liked)
    by_taste = _by_taste(profile, liked, limit)
    by_content = _by_content(profile[:COMPARED], liked | _films(by_taste), limit)
    every = CONTENT_EVERY if by_taste else CONTENT_EVERY_OF_BEST
    if len(profile) < ENOUGH:
        by_content = by_content[: limit // every]
        missing = limit - len(by_taste) - len(by_content)
        by_taste += _best(missing, liked | _films(by_taste) | _films(by_content))
    found = list(islice(_interleaved(by_taste, by_content, every), limit))
    return found + _best(limit - len(found), liked | _films(found))


def _films(recommendations: Iterable[Recommendation]) -> set[str]:
    return {one.film["_id"] for one in recommendations}


@driver_errors()
def for_newcomer(limit: int = 24) -> list[Recommendation]:
    """The best films by weighted rating, diverse over genres. Raises BadQuery for a bad limit."""
    check_limit(limit)
    return _best(limit, frozenset())


def _best(limit: int, excluded: Collection[str]) -> list[Recommendation]:
    if limit <= 0:
        return []
    query = {"_id": {"$nin": list(excluded)}} if excluded else {}
    pool = list(get_collection("movies").find(query, CARD).sort(BY_RANK.keys(backwards=False)).limit(max(POOL, limit)))
    order = diverse([(film.get("ranking_score") or 0.0, film.get("genres") or []) for film in pool], limit)
    seen: set[str] = set()
    found = []
    for film in (pool[position] for position in order):
        genres = film.get("genres") or []
        name = next((genre for genre in genres[:SHOWN_GENRES] if genre not in seen), "")
        seen |= set(genres)
        found.append(Recommendation(film, Reason("best", name=name)))
    return found


def _by_taste(profile: Sequence[Row], liked: Collection[str], limit: int) -> list[Recommendation]:
    """Films liked by people with the same taste."""
    titles = {film["_id"]: film["title"] for film in profile}
    known = neighbour_lists.read(titles)
    if not len(known.priors):
        return []
    scored = best(known.rows, known.priors, known.places(liked), limit)
    ids = known.films(score.place for score in scored)
    films = similar_films.rows_of(ids.values())
    found = []
    for score in scored:
        if film := films.get(ids.get(score.place, "")):  # otherwise it has been deleted
            carriers = tuple(titles[film] for film in score.carriers()[:MOST_TITLES])
            found.append(Recommendation(film, Reason("liked", carriers) if carriers else Reason("popular")))
    return found


def _by_content(profile: Sequence[Row], excluded: Collection[str], limit: int) -> list[Recommendation]:
    """Films that share people or genres with what the user likes, good ones first.

    The kinds of reasons take turns, and no single person or liked film accounts for most of them.
    """
    own = similar_films.traits(profile)
    others = similar_films.candidates(own, excluded)
    ranked: list[tuple[float, str, str, Likeness]] = []
    for film_id, row in _good(others.rows).items():
        found = {liked: likeness(own.features[liked], others.features[film_id]) for liked in own.rows}
        carrier = max(found, key=lambda liked: (found[liked].kind is not None, found[liked].score))
        if found[carrier].kind is not None:
            # Squared: much in common with one film says more than a little with each.
            worth = sum(alike.score**2 for alike in found.values()) * similar_films.quality(row)
            ranked.append((-worth, film_id, carrier, found[carrier]))
    ranked.sort(key=lambda entry: entry[:2])
    of_liked = max(LEAST_OF_LIKED, -(-limit // len(own.rows)))
    labels = [
        (alike.kind, {("liked", carrier): of_liked, **dict.fromkeys(alike.people, MOST_OF_PERSON)})
        for _, _, carrier, alike in ranked
    ]
    chosen = [ranked[position][1:] for position in in_turns(labels, limit)]
    reasons = _reasons(own, [(carrier, alike) for _, carrier, alike in chosen])
    return [Recommendation(others.rows[film_id], why) for (film_id, *_), why in zip(chosen, reasons, strict=True)]


def _good(films: dict[str, Row]) -> dict[str, Row]:
    """The films above the library's mean score.

    Unrated films have exactly the mean; they are used only if nothing is better, as in a library without ratings.
    """
    mean = ranking.mean()
    scores = {film_id: film.get("ranking_score") or 0.0 for film_id, film in films.items()}
    better = {film_id: film for film_id, film in films.items() if scores[film_id] > mean}
    return better or {film_id: film for film_id, film in films.items() if scores[film_id] == mean}


def _reasons(own: similar_films.Traits, found: Sequence[tuple[str, Likeness]]) -> Iterator[Reason]:
    """Of several shared people name the one with the most films; of genres the least often named one."""
    people = {person for _, alike in found for person in alike.people}
    films = person_directory.appearances(people)
    named: Counter[str] = Counter()
    for liked, alike in found:
        name = min(alike.shared, key=lambda shared: (-films.get(shared, 0), named[shared], shared))
        named[name] += 1
        if alike.kind is not None:  # as candidates are
            yield Reason(alike.kind, (own.rows[liked]["title"],), own.names[name] if alike.people else name)


def _interleaved(
    leading: Sequence[Recommendation], by_content: Sequence[Recommendation], every: int
) -> Iterator[Recommendation]:
    content = iter(by_content)
    for place, recommendation in enumerate(leading, 1):
        yield recommendation
        if place % (every - 1) == 0:
            yield from islice(content, 1)
    yield from chain(content)
