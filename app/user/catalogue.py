"""The catalogue: the top 100 and everything below."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for

from app.db.core import BadQuery
from app.db.films import catalogue
from app.user.cards import card_html
from app.user.likes import liked
from app.web.query import single

ROWS = 100
MAX_RANK = 10**9

blueprint = Blueprint("catalogue", __name__)
blueprint.add_app_template_global(card_html)


@blueprint.get("/catalogue")
def show() -> str:
    """Films by weighted rating, narrowed by `genre` and `decade`. `after` continues a list, starting at `rank`.

    Leaves out liked films unless `liked` is "show". `rows` is the number of films, at most ROWS: catalogue.js fetches
    one for each film that leaves the list.
    """
    genre, decade = single(request.args, "genre") or None, single(request.args, "decade") or None
    narrowed: dict[str, Any] = {"genre": genre, "decade": decade}
    keep_liked = single(request.args, "liked") == "show"
    after = single(request.args, "after") or None
    rank = _number("rank", default=1, most=MAX_RANK)
    page = catalogue.page(
        genre=genre,
        decade=_number("decade", most=catalogue.LAST_DECADE) if decade else None,
        exclude=frozenset() if keep_liked else liked() or frozenset(),
        after=after,
        limit=_number("rows", default=ROWS, most=ROWS),
    )
    narrowed["liked"] = "show" if keep_liked else None
    return render_template(
        "user/catalogue.html",
        films=page.rows,
        rank=rank,
        next=page.next and url_for("catalogue.show", **narrowed, after=page.next, rank=rank + len(page.rows)),
        first=url_for("catalogue.show", **narrowed),
        continued=bool(after),
        chosen=narrowed,
        choices=catalogue.choices(),
    )


def _number(name: str, *, most: int, default: int = 0) -> int:
    """A parameter as a whole number from 1 to `most`. Raises BadQuery."""
    text = single(request.args, name)
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise BadQuery(f"{name} must be a whole number from 1 to {most}")
    return int(text)
