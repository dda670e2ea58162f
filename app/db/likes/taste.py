"""What somebody's favourites have in common that the library as a whole hasn't."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from app.db.core import Row, driver_errors, get_collection
from app.db.films import DECADE, catalogue, person_directory
from app.db.likes import likes

PROFILE = 200  # liked films, the latest ones
# How many of the films have to have a trait for it to be one: two of one genre are chance, two by one person aren't.
LEAST_FILMS = 3
LEAST_OF_PERSON = 2
MANY = 1 / 3  # of the films: a decade that fewer are of says little, as there are few decades
LEAST_TIMES = 1.2  # as frequent as in the library
MOST_TRAITS = 3  # of each sort


@dataclass(frozen=True)
class Trait:
    """Something that several favourites have: how many of them, and how many times as frequent as in the library.

    `times` is None where the library isn't counted by it: for people, whose parts in it are always few.
    """

    name: str
    films: int
    times: float | None = None


@dataclass(frozen=True)
class Profile:
    """What is frequent among somebody's favourites, the most first; `films` of them were looked at."""

    films: int
    genres: list[Trait]
    decades: list[Trait]  # by their first years: "1970"; only those of which MANY are
    countries: list[Trait]
    directors: list[Trait]
    actors: list[Trait]


@driver_errors()
def profile(user_id: str) -> Profile | None:
    """The taste that a user's favourites show; None before any. Raises BadQuery for what can't be an id."""
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
    """The films liked last; further back only as long as all of them have been deleted."""
    page = likes.page(user_id, limit=PROFILE)
    while not page.rows and page.next:
        page = likes.page(user_id, limit=PROFILE, after=page.next)
    return [film["_id"] for film in page.rows]


def _decade(film: Row) -> list[int]:
    year = film.get("release_year")
    return [] if year is None else [year - year % DECADE]


def _traits(values: Iterable[Iterable[object]], library: catalogue.Counts, kinds: catalogue.Counts) -> list[Trait]:
    """The values that are more frequent in these films than in the library, by how much this says.

    A trait that many favourites have and one that hardly any other film has both say something: they are in the order
    of the number of favourites beyond the number that chance would have given.
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
    """By role those who have it in several of the films, each in what they are known for by these.

    The most frequent first; of equally frequent ones the best known, whom nobody has to look up.
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
