"""Films that are like others: by what people like, and by what the films are. The second reaches every film."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.db.core import Row, check_limit, driver_errors, get_collection
from app.db.films import BY_RANK, CARD
from app.db.likes import neighbour_lists
from app.recommender.content import Features, likeness
from app.recommender.diversity import in_turns

FIELDS = {**CARD, "production_countries": 1}  # what films are compared by, and shown
# A page waits for this: as many candidates as still are compared within a few milliseconds.
MOST_PEOPLE = 60
MOST_CREDITS = 5_000  # of those people
MOST_BY_PEOPLE = 100
MOST_GENRES = 3
BEST_OF_GENRE = 30
MOST_OF_PERSON = 3  # films with the same person in common, of those that are like one film by what they are


@dataclass(frozen=True)
class Traits:
    """Films by their ids with what they are compared by, and the names of their people by their ids."""

    rows: dict[str, Row] = field(default_factory=dict)
    features: dict[str, Features] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


@driver_errors()
def films(film: Row, limit: int = 12) -> list[Row]:
    """Films like this one, a row with `_id` and, where it has them, genres, countries and year; most alike first.

    Those that the same people like come first, then those that have people, genres, country and time in common: the
    kinds of what they have in common take turns, and one person is in MOST_OF_PERSON, as long as there are others.
    Raises BadQuery for a bad limit.
    """
    check_limit(limit)
    close = neighbour_lists.closest(film["_id"], limit)
    found = rows_of(close)
    alike = [found[other] for other in close if other in found]
    return alike + _by_content(film, {film["_id"], *found}, limit - len(alike))


def _by_content(film: Row, excluded: Collection[str], limit: int) -> list[Row]:
    if limit <= 0:
        return []
    own = traits([film])
    others = candidates(own, excluded)
    compared = {other: likeness(own.features[film["_id"]], features) for other, features in others.features.items()}
    worth = {other: alike.score * quality(others.rows[other]) for other, alike in compared.items()}
    ranked = sorted(worth, key=lambda other: (-worth[other], other))
    labels = [(compared[other].kind, dict.fromkeys(compared[other].people, MOST_OF_PERSON)) for other in ranked]
    order = in_turns(labels, limit)
    order += sorted(set(range(len(ranked))) - set(order))
    return [others.rows[ranked[position]] for position in order[:limit]]


def quality(row: Row) -> float:
    """How good a film is, from 0 to 1: among films about equally alike, the better one comes first.

    The square of its score: scores lie within a few points of each other, and so would count for little.
    """
    return (float(row.get("ranking_score") or 0.0) / 10) ** 2


def rows_of(film_ids: Iterable[str]) -> dict[str, Row]:
    """The films with these ids, as far as they are there, with FIELDS."""
    ids = list(film_ids)
    return {row["_id"]: row for row in get_collection("movies").find({"_id": {"$in": ids}}, FIELDS)} if ids else {}


def traits(films: Sequence[Row]) -> Traits:
    """What these films are compared by; their credits are looked up."""
    rows = {film["_id"]: film for film in films}
    people: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    names = {}
    fields = {"_id": 0, "movie_id": 1, "person_id": 1, "role": 1, "name": 1}
    for credit in get_collection("credits").find({"movie_id": {"$in": list(rows)}}, fields):
        people[credit["movie_id"]][credit["role"]].add(credit["person_id"])
        names[credit["person_id"]] = credit["name"]
    return Traits(rows, {film_id: _features(row, people[film_id]) for film_id, row in rows.items()}, names)


def candidates(liked: Traits, excluded: Collection[str]) -> Traits:
    """Films that have people or genres in common with `liked`: those with most of their people, the best of a genre.

    Of the candidates' people only those are known that `liked` has, too: the others are in nothing that is compared.
    """
    shared = _films_of(_most_telling(liked.features.values()), excluded)
    rows = rows_of(shared)
    genres = Counter(genre for features in liked.features.values() for genre in features.genres)
    for genre, _ in sorted(genres.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_GENRES]:
        query = {"genres": genre, "_id": {"$nin": list(excluded)}}
        best = get_collection("movies").find(query, FIELDS).sort(BY_RANK.keys(backwards=False)).limit(BEST_OF_GENRE)
        rows |= {row["_id"]: row for row in best}
    return Traits(
        rows, {film_id: _features(row, shared.get(film_id, {})) for film_id, row in rows.items()}, liked.names
    )


def _features(row: Row, people: Mapping[str, Collection[str]]) -> Features:
    return Features(
        directors=frozenset(people.get("DIRECTOR", ())),
        writers=frozenset(people.get("WRITER", ())),
        actors=frozenset(people.get("ACTOR", ())),
        genres=frozenset(row.get("genres") or ()),
        countries=frozenset(row.get("production_countries") or ()),
        year=row.get("release_year"),
    )


def _most_telling(films: Iterable[Features]) -> list[str]:
    """Up to MOST_PEOPLE ids: directors, then others; among these those with most of the films."""
    count: Counter[str] = Counter()
    rank: dict[str, int] = {}
    for film in films:
        for level, people in enumerate((film.directors, film.writers, film.actors)):
            count.update(people)
            for person in people:
                rank[person] = min(level, rank.get(person, level))
    return sorted(count, key=lambda person: (rank[person] > 0, -count[person], rank[person], person))[:MOST_PEOPLE]


def _films_of(people: Sequence[str], excluded: Collection[str]) -> dict[str, dict[str, set[str]]]:
    """The films in which most of these people have a part: film -> role -> people. The index alone answers."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    fields = {"_id": 0, "person_id": 1, "role": 1, "movie_id": 1}
    query = {"person_id": {"$in": list(people)}}
    for credit in get_collection("credits").find(query, fields).limit(MOST_CREDITS):
        if credit["movie_id"] not in excluded:
            found[credit["movie_id"]][credit["role"]].add(credit["person_id"])

    def weight(film_id: str) -> tuple[bool, int, str]:
        roles = found[film_id]
        return ("DIRECTOR" not in roles, -sum(map(len, roles.values())), film_id)

    return {film_id: found[film_id] for film_id in sorted(found, key=weight)[:MOST_BY_PEOPLE]}
