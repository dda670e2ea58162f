"""Finding a film by what it should be: type, genre, actor and director, the ones that matter, all of them at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

from flask import Blueprint, render_template, request, url_for

from app.db.core import Page
from app.db.films import catalogue
from app.db.search import Preferences, preferences, spelling
from app.user.narrowing import KIND_WORDS
from app.web.filters import plural
from app.web.query import single

TOP = 3
FURTHER = 24  # films on each page below the top
NAMESAKES_SHOWN = 6
ROLES = {"actor": "ACTOR", "director": "DIRECTOR"}  # of the people in the form

blueprint = Blueprint("preferences", __name__)


@dataclass(frozen=True)
class Wishes:
    """What the form asks for, empty where it doesn't matter; a person chosen from the list has an id, too.

    Without JavaScript the id stays in the form when the name is changed, so it counts only along with its name.
    """

    type: str
    genre: str
    actor: str
    actor_id: str
    director: str
    director_id: str

    def parameters(self) -> dict[str, Any]:
        """Those of an address that asks for this."""
        return {name: value for name, value in asdict(self).items() if value}

    def named(self) -> dict[str, str]:
        """What is wished for, in words: field -> words, in the order of the form."""
        ways = {
            "type": KIND_WORDS.get(self.type, self.type),
            "genre": self.genre,
            "actor": f"with {self.actor}" if self.actor else "",
            "director": f"directed by {self.director}" if self.director else "",
        }
        return {name: words for name, words in ways.items() if words}

    def find(self, limit: int, after: str | None = None) -> Preferences:
        """Raises BadQuery as `preferences.find`."""
        return preferences.find(
            kind=self.type,
            genre=self.genre,
            actor=self.actor,
            actor_id=self.actor_id,
            director=self.director,
            director_id=self.director_id,
            limit=limit,
            after=after,
        )


class Way(NamedTuple):
    """A link that leads on, and its words."""

    text: str
    url: str


@blueprint.get("/find")
def find() -> str:
    """The form, and the three best films that are all that is asked for; `after` goes on below them."""
    wishes = Wishes(**{field.name: single(request.args, field.name).strip() for field in fields(Wishes)})
    after = single(request.args, "after") or None
    return render_template("user/preferences.html", **_page(wishes, after))


def _page(wishes: Wishes, after: str | None) -> dict[str, Any]:
    """What the page shows. Raises BadQuery as `preferences.find`."""
    answer = wishes.find(FURTHER if after else TOP, after)
    wishes = _with_names(wishes, answer)
    named = wishes.named()
    choices = catalogue.choices()
    kinds = {kind for kind, _ in choices.kinds}
    return {
        "wishes": wishes,
        "kinds": [(kind, words) for kind, words in KIND_WORDS.items() if kind in kinds],
        "genres": sorted((genre, genre) for genre, _ in choices.genres),
        "wish": _sentence(named),
        "answer": answer,
        "summary": _summary(answer.page),
        "continued": bool(after),
        "namesakes": _namesakes(wishes, answer),
        "meant": _meant(wishes, answer),
        "relaxed": _relaxed(wishes, named) if answer.given and not answer.page.rows and not after else [],
    }


def _with_names(wishes: Wishes, answer: Preferences) -> Wishes:
    """Whoever can only be one person goes by the name in the library, however it was typed, and by the id.

    No other id stays.
    """
    for name, sought in (("actor", answer.actor), ("director", answer.director)):
        if sought and len(sought.people) == 1:
            wishes = _with_person(wishes, name, sought.people[0])
        else:
            wishes = replace(wishes, **{f"{name}_id": ""})
    return wishes


def _sentence(named: dict[str, str]) -> str:
    """Films: drama, with Tom Hanks, directed by Nora Ephron."""
    kind = named.get("type", "Films and series")
    rest = ", ".join(words for name, words in named.items() if name != "type")
    return f"{kind}: {rest}" if rest else kind


def _summary(page: Page) -> str:
    shown = len(page.rows)
    if page.next is None:
        return "That is the only one." if shown == 1 else f"These {shown} are all there are."
    if page.total is None:
        return f"The best {shown} of many."
    return f"The best {shown} of {'more than ' if page.total_is_estimate else ''}{plural(page.total, 'film')}."


def _namesakes(wishes: Wishes, answer: Preferences) -> dict[str, list[Way]]:
    """For a typed name that several people have: links to the same search for one of them."""
    found = {}
    for name, sought in (("actor", answer.actor), ("director", answer.director)):
        if sought and len(sought.people) > 1:
            found[name] = [
                _way(_with_person(wishes, name, person), f"{person['name']} ({plural(person['films'], 'film')})")
                for person in sought.people[:NAMESAKES_SHOWN]
            ]
    return found


def _meant(wishes: Wishes, answer: Preferences) -> dict[str, Way | None]:
    """For each name that is nobody's: a link to the same search for the name that it is most like, if there is one."""
    found: dict[str, Way | None] = {}
    for name, sought in (("actor", answer.actor), ("director", answer.director)):
        if sought and not sought.people:
            other = spelling.nearest_name(sought.text, ROLES[name])
            found[name] = _way(replace(wishes, **{name: other}), other) if other else None
    return found


def _with_person(wishes: Wishes, name: str, person: dict[str, Any]) -> Wishes:
    return replace(wishes, **{name: person["name"], f"{name}_id": person["_id"]})


def _way(wishes: Wishes, text: str) -> Way:
    return Way(text, url_for("preferences.find", **wishes.parameters()))


def _relaxed(wishes: Wishes, named: dict[str, str]) -> list[Way]:
    """What would find something: the same with one wish less, for each where that helps."""
    ways = []
    for name in named:
        fewer = replace(wishes, **{field: "" for field in (name, f"{name}_id") if hasattr(wishes, field)})
        if not fewer.parameters():
            continue
        page = fewer.find(1).page
        if page.rows:
            count = "many films" if page.total is None else plural(page.total, "film")
            ways.append(_way(fewer, f"{_sentence(fewer.named())} ({count})"))
    return ways
