"""A film's poster: show, upload, remove."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_wtf.file import FileField, FileRequired
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from app.admin import poster_images
from app.admin.columns import VIEWS
from app.admin.poster_images import Refused
from app.admin.record import found
from app.admin.rights import Action, actor, may, requires
from app.db.core import Row
from app.db.films import posters
from app.web.errors import error_page
from app.web.forms import Form
from app.web.posters import ADDRESS, poster_response

UPLOAD_MAX_BYTES = 20 << 20  # phone photos have up to about 10 MB
FILM = "movies"

blueprint = Blueprint("posters", __name__)


class PosterForm(Form):
    """The upload form."""

    picture = FileField("Image", [FileRequired("Choose an image.")])


@blueprint.url_value_preprocessor
def _make_room(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Allow a larger request, but only for those who may edit. Runs before the CSRF check."""
    if endpoint == "posters.upload" and may(Action.EDIT):
        request.max_content_length = UPLOAD_MAX_BYTES


@blueprint.get(ADDRESS)
@requires(Action.VIEW)
def show(film_id: str, version: str, size: str) -> Response:
    """The image; not for shared caches, which would serve it without a log-in."""
    response = poster_response(film_id, version, size)
    response.cache_control.public, response.cache_control.private = False, True
    return response


@blueprint.get("/collections/movies/<film_id>/poster")
@requires(Action.EDIT)
def edit(film_id: str) -> str:
    """The current poster, and the form to replace it."""
    return _page(found(FILM, film_id), PosterForm())


@blueprint.post("/collections/movies/<film_id>/poster")
@requires(Action.EDIT)
def upload(film_id: str) -> Response | tuple[str, int]:
    """Make the uploaded image the film's poster."""
    film, form = found(FILM, film_id), PosterForm()
    if not form.validate_on_submit():
        return _page(film, form), 422
    try:
        picture = poster_images.picture(form.picture.data.stream)
    except Refused as error:
        # With the decoder's error, in case an intact image is refused as broken.
        current_app.logger.info("image refused: %r", error.__cause__ or error)
        form.picture.errors = [str(error)]
        return _page(film, form), 422
    posters.store(film_id, picture, actor=actor())
    flash("The poster has been saved.", "success")
    return redirect(url_for("posters.edit", film_id=film_id), 303)


@blueprint.errorhandler(RequestEntityTooLarge)
def _too_large(_: RequestEntityTooLarge) -> Response | tuple[str, int]:
    """The form again, to choose another image. The error is raised before the view runs."""
    film_id = (request.view_args or {}).get("film_id", "")
    if not may(Action.EDIT):
        return error_page(413)
    form = PosterForm(formdata=None)
    form.picture.errors = [f"The image is too large: the limit is {UPLOAD_MAX_BYTES >> 20} MB."]
    return _page(found(FILM, film_id), form), 413


@blueprint.post("/collections/movies/<film_id>/poster/remove")
@requires(Action.EDIT)
def remove(film_id: str) -> Response:
    """Remove the film's poster; pages then draw one from its title."""
    posters.remove(found(FILM, film_id)["_id"], actor=actor())
    flash("The poster has been removed.", "success")
    return redirect(url_for("posters.edit", film_id=film_id), 303)


def _page(film: Row, form: PosterForm) -> str:
    return render_template(
        "admin/poster.html", name=FILM, view=VIEWS[FILM], film=film, form=form, limit_mb=UPLOAD_MAX_BYTES >> 20
    )
