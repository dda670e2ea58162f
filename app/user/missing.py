"""The page where a film or a person would be."""

from __future__ import annotations

from flask import Response

from app.web.errors import error_page


def missing(what: str) -> Response:
    """404, with a search box and the way to all films. To be sent as well for what can't be an id: nothing has it."""
    return error_page(404, f"There is no such {what} in the library, or no longer.", template="user/missing.html")
