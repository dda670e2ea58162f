"""The page for a missing film or person."""

from __future__ import annotations

from flask import Response

from app.web.errors import error_page


def missing(what: str) -> Response:
    """404 with a search box and a link to the catalogue; also for malformed ids, which nothing has."""
    return error_page(
        404, f"There is no such {what} in the library. It may have been removed.", template="user/missing.html"
    )
