"""Finding films by preferences: type, genre, actor and director."""

from dataclasses import dataclass

from app.db.core import MAX_ID, Page, Row, check_limit, driver_errors, fetch_page, get_collection, tokenize
from app.db.films import BY_RANK, CARD, film_query, person_directory

MAX_PEOPLE = 20  # that one typed name can match; those with the most films
MAX_CREDITS = 20_000  # of these people together

_NOTHING = Page(rows=[], next=None, previous=None, total=0, total_is_estimate=False)


@dataclass(frozen=True)
class PersonPreference:
    """A preferred person as entered, by name or id, and the people it matches: none, one, or several namesakes.

    With `more` there are more than MAX_PEOPLE, and these have the most films.
    """

    text: str
    people: list[Row]  # {_id, name, roles, films}, most films first
    more: bool = False


@dataclass(frozen=True)
class Preferences:
    """The films found, and the people matched as actor and director; None for those not given.

    `given` is False when there were no preferences at all.
    """

    page: Page
    given: bool = True
    actor: PersonPreference | None = None
    director: PersonPreference | None = None


@driver_errors()
def find(
    *,
    kind: str | None = None,
    genre: str | None = None,
    actor: str | None = None,
    director: str | None = None,
    actor_id: str | None = None,
    director_id: str | None = None,
    limit: int = 3,
    after: str | None = None,
) -> Preferences:
    """The films that match all preferences, best ranked first, as `catalogue.CARD_FIELDS`. None and "" match anything.

    `actor` and `director` are people's names or ids. A name that several people share matches any of them (up to
    MAX_CREDITS credits), or only the person with `actor_id` or `director_id` if it is that person's name; with another
    name the id is ignored. Only people's films are counted: otherwise `total` is known only when everything fits on
    this page.
    Raises BadQuery for an invalid kind, genre, name, cursor or limit.
    """
    check_limit(limit)
    films = film_query(kind=kind or None, genre=genre or None)
    actors, directors = (
        _person_preference(actor, actor_id, "ACTOR"),
        _person_preference(director, director_id, "DIRECTOR"),
    )
    if not (films or actors or directors):
        return Preferences(_NOTHING, given=False)
    if actors is None and directors is None:
        return Preferences(
            fetch_page("movies", films, BY_RANK, after=after, limit=limit, projection=CARD, counted=False)
        )
    works = [
        _films(preference, role) for preference, role in ((actors, "ACTOR"), (directors, "DIRECTOR")) if preference
    ]
    if not (ids := set.intersection(*works)):
        return Preferences(_NOTHING, actor=actors, director=directors)
    films["_id"] = {"$in": sorted(ids)}
    # By _id, whatever the planner prefers: a person has few films, a genre may have very many.
    page = fetch_page("movies", films, BY_RANK, after=after, limit=limit, projection=CARD, hint="_id_")
    return Preferences(page, actor=actors, director=directors)


def _person_preference(text: str | None, chosen: str | None, role: str) -> PersonPreference | None:
    if text is None or text == "":
        return None
    words = person_directory.name_words(text)  # raises BadQuery
    ids = [one for one in (chosen, text) if isinstance(one, str) and len(one) <= MAX_ID]
    known = {
        row["_id"]: row
        for row in get_collection(person_directory.NAME).find({"_id": {"$in": ids}}, person_directory.SHOWN)
    }
    if chosen in known and tokenize(known[chosen]["name"]) == words:
        return PersonPreference(text, [known[chosen]])
    if text in known:
        return PersonPreference(text, [known[text]])
    people = person_directory.named(text, role=role, limit=MAX_PEOPLE + 1)
    return PersonPreference(text, people[:MAX_PEOPLE], more=len(people) > MAX_PEOPLE)


def _films(preference: PersonPreference, role: str) -> set[str]:
    """The ids of the films in which one of these people has the role."""
    query = {"person_id": {"$in": [person["_id"] for person in preference.people]}, "role": role}
    found = get_collection("credits").find(query, {"_id": 0, "movie_id": 1}).limit(MAX_CREDITS)
    return {credit["movie_id"] for credit in found}
