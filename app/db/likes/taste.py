"""A user's taste: what is more frequent among the films they like than in the library."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from app.db.core import Row, driver_errors, get_collection
from app.db.films import DECADE, catalogue, person_directory
from app.db.likes import likes

PROFILE = 200  # liked films, the latest ones
# The least number of films for a trait: two films of one genre are chance, two by one person aren't.
LEAST_FILMS = 3
LEAST_OF_PERSON = 2
MANY = 1 / 3  # of the films: with so few decades, a smaller share says little
LEAST_TIMES = 1.2  # as frequent as in the library
MOST_TRAITS = 3  # of each sort


@dataclass(frozen=True)
class Trait:
    """A trait of several liked films: how many have it, and how many times as frequent it is as in the library.

    `times` is None for people, as every person has only a few films.
    """

    name: str
    films: int
    times: float | None = None


@dataclass(frozen=True)
class Profile:
    """What is frequent among the `films` most recently liked films, most frequent first."""

    films: int
    genres: list[Trait]
    decades: list[Trait]  # first years, such as "1970"; only those with a share of at least MANY
    countries: list[Trait]
    directors: list[Trait]
    actors: list[Trait]


@driver_errors()
def profile(user_id: str) -> Profile | None:
    """The user's taste; None without likes. Raises BadQuery for an invalid id."""
    ids = _latest(user_id)
    if not ids:
        return None
    fields = {"genres": 1, "production_countries": 1, "release_year": 1}
    films = list(get_collection("movies").find({"_id": {"$in": ids}}, fields))
    library = catalogue.choices()
    people = _people(ids)
    decades = _traits((_decade(film) for film in films), library.decades, library.kinds)
    return Profile(
        films=len(films),
        genres=_traits((film.get("genres") or [] for film in films), library.genres, library.kinds),
        decades=[decade for decade in decades if decade.films >= MANY * len(films)],
        countries=_traits((film.get("production_countries") or [] for film in films), library.countries, library.kinds),
        directors=people["DIRECTOR"],
        actors=people["ACTOR"],
    )


def _latest(user_id: str) -> list[str]:
    """The films liked last; earlier ones only if all of these have been deleted."""
    page = likes.page(user_id, limit=PROFILE)
    while not page.rows and page.next:
        page = likes.page(user_id, limit=PROFILE, after=page.next)
    return [film["_id"] for film in page.rows]


def _decade(film: Row) -> list[int]:
    year = film.get("release_year")
    return [] if year is None else [year - year % DECADE]


def _traits(values: Iterable[Iterable[object]], library: catalogue.Counts, kinds: catalogue.Counts) -> list[Trait]:
    """The values that are more frequent in these films than in the library, most telling first.

    Both frequent traits and rare ones count: the order is by the number of films beyond the number expected by chance.
    """
    lists = [set(own) for own in values]
    counts = Counter(value for own in lists for value in own)
    everything = sum(films for _, films in kinds)
    share: Mapping[object, float] = {value: films / everything for value, films in library}
    found = []
    for value, films in counts.items():
        expected = share.get(value, 0.0) * len(lists)
        if films >= LEAST_FILMS and expected > 0 and films >= LEAST_TIMES * expected:
            found.append((films - expected, Trait(str(value), films, round(films / expected, 1))))
    found.sort(key=lambda pair: (-pair[0], pair[1].name))
    return [trait for _, trait in found[:MOST_TRAITS]]


def _people(film_ids: list[str]) -> dict[str, list[Trait]]:
    """Role -> people with that role in several of the films, each only in the role they are best known for here.

    Most frequent first; ties are broken by fame.
    """
    query = {"movie_id": {"$in": film_ids}, "role": {"$in": ["DIRECTOR", "ACTOR"]}}
    films: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    names = {}
    fields = {"_id": 0, "movie_id": 1, "person_id": 1, "name": 1, "role": 1}
    for credit in get_collection("credits").find(query, fields):
        films[credit["person_id"]][credit["role"]].add(credit["movie_id"])
        names[credit["person_id"]] = credit["name"]
    several: dict[str, dict[str, int]] = {"DIRECTOR": {}, "ACTOR": {}}
    for person, made in films.items():
        role = person_directory.known_for({role: len(own) for role, own in made.items()})[0]
        if len(made[role]) >= LEAST_OF_PERSON:
            several[role][person] = len(made[role])
    known = person_directory.appearances(chain.from_iterable(several.values()))

    def listed(counts: dict[str, int]) -> list[Trait]:
        people = sorted(counts, key=lambda person: (-counts[person], -known.get(person, 0), names[person]))
        return [Trait(names[person], counts[person]) for person in people[:MOST_TRAITS]]

    return {role: listed(counts) for role, counts in several.items()}
