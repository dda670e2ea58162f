"""What somebody may like, and why: from what people with the same taste like, and from what the films are.

The first can say nothing of a film that hardly anybody has liked: every CONTENT_EVERY-th place goes to the second. In a
new library, where the first has nothing to say at all, the second has the whole page once there are ENOUGH likes; with
fewer the best rated films lead it. Liked films are in none of these.
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
ENOUGH = 3  # of these: with fewer, the best rated films say more than content does
COMPARED = 10  # of these, by content
CONTENT_EVERY = 4
CONTENT_EVERY_OF_BEST = 3  # these are nobody's taste, so that there are more by content among them
MOST_OF_PERSON = 2  # of the films by content: one person in common
LEAST_OF_LIKED = 3  # of the films by content may be for one liked film, more where few films are liked
POOL = 200  # best rated films that a newcomer's are chosen from
MOST_TITLES = 2  # named in a reason
SHOWN_GENRES = 3  # of a film, on its card: the reason is one of them


@dataclass(frozen=True)
class Reason:
    """Why a film is recommended; what it names really is what contributed most.

    - "liked": people who like `titles` like it, too, and if it has their genres, it counts for more
    - "director", "cast", "genre", "writer": it has `name` (a person, or a genre) in common with `titles`, which the
      user likes
    - "popular": many people like it
    - "best": it is among the best rated, and brings in the genre `name`
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
    """Up to `limit` films that the user may like, the most promising first, then those that anybody may like.

    Raises BadQuery for what can't be an id, or a bad limit.
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
    """Those that people like who like the same."""
    titles = {film["_id"]: film["title"] for film in profile}
    known = neighbour_lists.read(titles)
    if not len(known.priors):
        return []
    scored = best(known.rows, known.priors, known.places(liked), limit)
    ids = known.films(score.place for score in scored)
    films = similar_films.rows_of(ids.values())
    found = []
    for score in scored:
        if film := films.get(ids.get(score.place, "")):  # else it was deleted since
            carriers = tuple(titles[film] for film in score.carriers()[:MOST_TITLES])
            found.append(Recommendation(film, Reason("liked", carriers) if carriers else Reason("popular")))
    return found


def _by_content(profile: Sequence[Row], excluded: Collection[str], limit: int) -> list[Recommendation]:
    """Those that have people or genres in common with what the user likes, good ones first.

    The kinds of reasons take turns, and neither one person nor one liked film brings in most of them.
    """
    own = similar_films.traits(profile)
    others = similar_films.candidates(own, excluded)
    ranked: list[tuple[float, str, str, Likeness]] = []
    for film_id, row in _good(others.rows).items():
        found = {liked: likeness(own.features[liked], others.features[film_id]) for liked in own.rows}
        carrier = max(found, key=lambda liked: (found[liked].kind is not None, found[liked].score))
        if found[carrier].kind is not None:
            # Squares: much in common with one film says more than a little in common with each.
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
    """Those that are better than the library is on the whole.

    Films that nobody has rated have exactly its mean; they are taken only where nothing is better, as in a library
    without any ratings.
    """
    mean = ranking.mean()
    scores = {film_id: film.get("ranking_score") or 0.0 for film_id, film in films.items()}
    better = {film_id: film for film_id, film in films.items() if scores[film_id] > mean}
    return better or {film_id: film for film_id, film in films.items() if scores[film_id] == mean}


def _reasons(own: similar_films.Traits, found: Sequence[tuple[str, Likeness]]) -> Iterator[Reason]:
    """Of several people in common the one with the most films is named, of genres the one that is named least."""
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
