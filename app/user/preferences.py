"""Finding films by preferences: any of type, genre, actor and director; films match all of them."""

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
FURTHER = 24  # films per page below the top
NAMESAKES_SHOWN = 6
ROLES = {"actor": "ACTOR", "director": "DIRECTOR"}  # of the form's people

blueprint = Blueprint("preferences", __name__)


@dataclass(frozen=True)
class PreferencesForm:
    """The form's values, empty for no preference. A person chosen from the suggestions has an id, too.

    Without JavaScript the id stays in the form when the name changes, so it only counts together with its name.
    """

    type: str
    genre: str
    actor: str
    actor_id: str
    director: str
    director_id: str

    def parameters(self) -> dict[str, Any]:
        """The address parameters for these values."""
        return {name: value for name, value in asdict(self).items() if value}

    def named(self) -> dict[str, str]:
        """Field -> words, in the form's order, without empty fields."""
        words = {
            "type": KIND_WORDS.get(self.type, self.type),
            "genre": self.genre,
            "actor": f"with {self.actor}" if self.actor else "",
            "director": f"directed by {self.director}" if self.director else "",
        }
        return {name: text for name, text in words.items() if text}

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


class Link(NamedTuple):
    """A link and its text."""

    text: str
    url: str


@blueprint.get("/find")
def find() -> str:
    """The form, and the three best films that match; `after` continues below them."""
    form = PreferencesForm(
        **{field.name: single(request.args, field.name).strip() for field in fields(PreferencesForm)}
    )
    after = single(request.args, "after") or None
    return render_template("user/preferences.html", **_page(form, after))


def _page(form: PreferencesForm, after: str | None) -> dict[str, Any]:
    """What the page shows. Raises BadQuery as `preferences.find`."""
    answer = form.find(FURTHER if after else TOP, after)
    form = _with_names(form, answer)
    named = form.named()
    choices = catalogue.choices()
    kinds = {kind for kind, _ in choices.kinds}
    return {
        "form": form,
        "kinds": [(kind, words) for kind, words in KIND_WORDS.items() if kind in kinds],
        "genres": sorted((genre, genre) for genre, _ in choices.genres),
        "heading": _sentence(named),
        "answer": answer,
        "summary": _summary(answer.page),
        "continued": bool(after),
        "namesakes": _namesakes(form, answer),
        "meant": _meant(form, answer),
        "relaxed": _relaxed(form, named) if answer.given and not answer.page.rows and not after else [],
    }


def _with_names(form: PreferencesForm, answer: Preferences) -> PreferencesForm:
    """Replace names that mean one person by that person's name and id, and clear all other ids."""
    for name, preference in (("actor", answer.actor), ("director", answer.director)):
        if preference and len(preference.people) == 1:
            form = _with_person(form, name, preference.people[0])
        else:
            form = replace(form, **{f"{name}_id": ""})
    return form


def _sentence(named: dict[str, str]) -> str:
    """Films: drama, with Tom Hanks, directed by Nora Ephron."""
    kind = named.get("type", "Films and series")
    rest = ", ".join(words for name, words in named.items() if name != "type")
    return f"{kind}: {rest}" if rest else kind


def _summary(page: Page) -> str:
    shown = len(page.rows)
    if page.next is None:
        return "The only match." if shown == 1 else f"Only these {shown} films match."
    if page.total is None:
        return f"The best {shown} of many."
    return f"The best {shown} of {'more than ' if page.total_is_estimate else ''}{plural(page.total, 'film')}."


def _namesakes(form: PreferencesForm, answer: Preferences) -> dict[str, list[Link]]:
    """For each name that several people share: links to the same search for one of them."""
    found = {}
    for name, preference in (("actor", answer.actor), ("director", answer.director)):
        if preference and len(preference.people) > 1:
            found[name] = [
                _link(_with_person(form, name, person), f"{person['name']} ({plural(person['films'], 'film')})")
                for person in preference.people[:NAMESAKES_SHOWN]
            ]
    return found


def _meant(form: PreferencesForm, answer: Preferences) -> dict[str, Link | None]:
    """For each unknown name: a link to the same search with the most similar name, if there is one."""
    found: dict[str, Link | None] = {}
    for name, preference in (("actor", answer.actor), ("director", answer.director)):
        if preference and not preference.people:
            other = spelling.nearest_name(preference.text, ROLES[name])
            found[name] = _link(replace(form, **{name: other}), other) if other else None
    return found


def _with_person(form: PreferencesForm, name: str, person: dict[str, Any]) -> PreferencesForm:
    return replace(form, **{name: person["name"], f"{name}_id": person["_id"]})


def _link(form: PreferencesForm, text: str) -> Link:
    return Link(text, url_for("preferences.find", **form.parameters()))


def _relaxed(form: PreferencesForm, named: dict[str, str]) -> list[Link]:
    """Searches with one preference less that find films."""
    links = []
    for name in named:
        fewer = replace(form, **{field: "" for field in (name, f"{name}_id") if hasattr(form, field)})
        if not fewer.parameters():
            continue
        page = fewer.find(1).page
        if page.rows:
            count = "many films" if page.total is None else plural(page.total, "film")
            links.append(_link(fewer, f"{_sentence(fewer.named())} ({count})"))
    return links
