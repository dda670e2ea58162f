"""Sending films' posters, the same from both apps: their addresses stand for the content, to be kept for good."""

from __future__ import annotations

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.db.core import BadQuery, NotFound
from app.db.films import posters
from app.web.assets import YEAR

ADDRESS = "/posters/<film_id>/<version>-<size>.webp"
"""The rule of the endpoint `posters.show`, which both apps have."""


def poster_response(film_id: str, version: str, size: str) -> BaseResponse:
    """A film's poster; the version of a page that has been open for long leads to the present one.

    Raises:
        NotFound: there is no such film, or it has no poster.
    """
    try:
        present, content = posters.read(film_id, size)
    except BadQuery as error:  # what can't be an id is nobody's
        raise NotFound(str(error)) from error
    if version != present:
        moved = redirect(url_for("posters.show", film_id=film_id, version=present, size=size))
        moved.headers["Cache-Control"] = "no-cache"
        return moved
    response: Response = make_response(content)
    response.content_type = "image/webp"
    response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    response.set_etag(f"{version}-{size}")
    return response.make_conditional(request)
