"""Serves posters in both apps. A poster's address names its content, so browsers cache it forever."""

from __future__ import annotations

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.db.core import BadQuery, NotFound
from app.db.films import posters
from app.web.assets import YEAR

ADDRESS = "/posters/<film_id>/<version>-<size>.webp"
"""The URL rule of `posters.show` in both apps."""


def poster_response(film_id: str, version: str, size: str) -> BaseResponse:
    """A film's poster. An old version, from a page opened before, redirects to the current one.

    Raises:
        NotFound: there is no such film, or it has no poster.
    """
    try:
        current, content = posters.read(film_id, size)
    except BadQuery as error:  # a malformed id
        raise NotFound(str(error)) from error
    if version != current:
        moved = redirect(url_for("posters.show", film_id=film_id, version=current, size=size))
        moved.headers["Cache-Control"] = "no-cache"
        return moved
    response: Response = make_response(content)
    response.content_type = "image/webp"
    response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    response.set_etag(f"{version}-{size}")
    return response.make_conditional(request)
