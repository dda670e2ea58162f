"""The start page, and charts of what the library holds and how its cluster is."""

from __future__ import annotations

from flask import Blueprint, render_template

from app.admin.columns import VIEWS
from app.admin.rights import Action, requires
from app.db.listing import list_page

blueprint = Blueprint("dashboards", __name__)


@blueprint.get("/")
@requires(Action.VIEW)
def home() -> str:
    """A card per collection, with its number of records."""
    counts = {name: list_page(name, limit=1) for name in VIEWS}
    return render_template("admin/dashboard.html", counts=counts)
