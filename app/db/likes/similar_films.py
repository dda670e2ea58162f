"""Similar films, by likes and by content. Content covers every film."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.db.core import Row, check_limit, driver_errors, get_collection
from app.db.films import BY_RANK, CARD
from app.db.likes import neighbour_lists
from app.recommender.content import Features, likeness
from app.recommender.diversity import in_turns

FIELDS = {**CARD, "production_countries": 1}  # what films are compared by, and shown
# A page waits for this: so many candidates are compared within a few milliseconds.
MOST_PEOPLE = 60
MOST_CREDITS = 5_000  # of those people
MOST_BY_PEOPLE = 100
MOST_GENRES = 3
BEST_OF_GENRE = 30
MOST_OF_PERSON = 3  # films that share the same person, of those similar by content


@dataclass(frozen=True)
class Traits:
    """Films by id with their features, and people's names by id."""

    rows: dict[str, Row] = field(default_factory=dict)
    features: dict[str, Features] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


@driver_errors()
def films(film: Row, limit: int = 12) -> list[Row]:
    """Films similar to this one (a row with `_id` and, if known, genres, countries and year), most similar first.

    First those that the same people like, then those that share people, genres, country and time: these kinds take
    turns, and at most MOST_OF_PERSON share the same person as long as there are others.
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
    """A film's quality from 0 to 1, which decides between about equally similar films.

    The square of its score, as scores differ by only a few points.
    """
    return (float(row.get("ranking_score") or 0.0) / 10) ** 2


def rows_of(film_ids: Iterable[str]) -> dict[str, Row]:
    """The existing films with these ids, with FIELDS."""
    ids = list(film_ids)
    return {row["_id"]: row for row in get_collection("movies").find({"_id": {"$in": ids}}, FIELDS)} if ids else {}


def traits(films: Sequence[Row]) -> Traits:
    """The features of these films, with their credits looked up."""
    rows = {film["_id"]: film for film in films}
    people: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    names = {}
    fields = {"_id": 0, "movie_id": 1, "person_id": 1, "role": 1, "name": 1}
    for credit in get_collection("credits").find({"movie_id": {"$in": list(rows)}}, fields):
        people[credit["movie_id"]][credit["role"]].add(credit["person_id"])
        names[credit["person_id"]] = credit["name"]
    return Traits(rows, {film_id: _features(row, people[film_id]) for film_id, row in rows.items()}, names)


def candidates(liked: Traits, excluded: Collection[str]) -> Traits:
    """Films that share people or genres with `liked`: those with most of their people, and the best of a genre.

    Candidates list only people that `liked` has too; others don't matter for comparison.
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
    """Up to MOST_PEOPLE ids: directors first, then others, each by number of these films."""
    count: Counter[str] = Counter()
    rank: dict[str, int] = {}
    for film in films:
        for level, people in enumerate((film.directors, film.writers, film.actors)):
            count.update(people)
            for person in people:
                rank[person] = min(level, rank.get(person, level))
    return sorted(count, key=lambda person: (rank[person] > 0, -count[person], rank[person], person))[:MOST_PEOPLE]


def _films_of(people: Sequence[str], excluded: Collection[str]) -> dict[str, dict[str, set[str]]]:
    """The films with most of these people: film -> role -> people. Answered from the index alone."""
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
