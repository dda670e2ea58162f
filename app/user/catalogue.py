"""The catalogue: the top 100 and everything below it."""

from __future__ import annotations

from flask import Blueprint, render_template

from app.db.search import top_movies

CATALOGUE_SIZE = 100

blueprint = Blueprint("catalogue", __name__)


@blueprint.get("/catalogue")
def show() -> str:
    """The top 100 by weighted rating."""
    return render_template("user/catalogue.html", films=top_movies(limit=CATALOGUE_SIZE))
