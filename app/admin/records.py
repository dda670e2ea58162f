"""The paged list of each collection."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, render_template, request, url_for

from app.admin.columns import VIEWS, Column
from app.admin.rights import Action, requires
from app.db.errors import BadQuery
from app.db.listing import list_page
from app.db.models import sortable_fields
from app.web.query import single

ROWS_CHOICES = (25, 50, 100, 200)
ROWS_DEFAULT = 50
DIRECTIONS = {"asc": False, "desc": True}

blueprint = Blueprint("records", __name__)


@blueprint.get("/collections/<name>")
@requires(Action.VIEW)
def listing(name: str) -> str:
    """A page of a collection; sort, dir, rows, after and before are in the address, so that it can be shared."""
    view = VIEWS.get(name) or abort(404)
    sort = single(request.args, "sort", view.sort)
    default_direction = "desc" if sort == view.sort and view.descending else "asc"
    direction = _choice("dir", DIRECTIONS, default_direction)
    rows = int(_choice("rows", {str(rows): rows for rows in ROWS_CHOICES}, str(ROWS_DEFAULT)))
    page = list_page(
        name,
        sort=sort,
        descending=DIRECTIONS[direction],
        after=single(request.args, "after") or None,
        before=single(request.args, "before") or None,
        limit=rows,
    )

    def address(**changes: Any) -> str:
        return url_for("records.listing", **{"name": name, "sort": sort, "dir": direction, "rows": rows, **changes})

    return render_template(
        "admin/listing.html",
        name=name,
        view=view,
        page=page,
        sort=sort,
        direction=direction,
        rows=rows,
        rows_choices=ROWS_CHOICES,
        headings=[_heading(column, name, sort, direction, address) for column in view.columns],
        address=address,
    )


def _choice(parameter: str, allowed: dict[str, Any], default: str) -> str:
    value = single(request.args, parameter, default)
    if value not in allowed:
        raise BadQuery(f"{parameter} must be one of {', '.join(allowed)}")
    return value


def _heading(column: Column, collection: str, sort: str, direction: str, address: Any) -> dict[str, Any]:
    """A column's heading: where a click on it leads (None when no index could sort by it), and its present order."""
    if column.field not in sortable_fields(collection):
        return {"column": column, "href": None, "order": None}
    current = direction if column.field == sort else None
    towards = "desc" if current == "asc" else "asc"
    return {"column": column, "href": address(sort=column.field, dir=towards), "order": current}
