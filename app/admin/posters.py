"""A film's poster: shown, uploaded and taken away."""

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

UPLOAD_MAX_BYTES = 20 << 20  # a telephone's photo has up to 10 MB or so
FILM = "movies"

blueprint = Blueprint("posters", __name__)


class PosterForm(Form):
    """A picture."""

    picture = FileField("Picture", [FileRequired("Choose a picture.")])


@blueprint.url_value_preprocessor
def _make_room(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """A larger request than any other form's, for those only who may edit. Before the CSRF check, which reads it."""
    if endpoint == "posters.upload" and may(Action.EDIT):
        request.max_content_length = UPLOAD_MAX_BYTES


@blueprint.get(ADDRESS)
@requires(Action.VIEW)
def show(film_id: str, version: str, size: str) -> Response:
    """The picture itself; no cache gives it to whoever isn't logged in here."""
    response = poster_response(film_id, version, size)
    response.cache_control.public, response.cache_control.private = False, True
    return response


@blueprint.get("/collections/movies/<film_id>/poster")
@requires(Action.EDIT)
def edit(film_id: str) -> str:
    """The poster as it is, and the form for another one."""
    return _page(found(FILM, film_id), PosterForm())


@blueprint.post("/collections/movies/<film_id>/poster")
@requires(Action.EDIT)
def upload(film_id: str) -> Response | tuple[str, int]:
    """Make the picture sent the film's poster."""
    film, form = found(FILM, film_id), PosterForm()
    if not form.validate_on_submit():
        return _page(film, form), 422
    try:
        picture = poster_images.picture(form.picture.data.stream)
    except Refused as error:
        # With what the decoder said: a picture refused as broken that isn't would be our mistake.
        current_app.logger.info("a picture was refused: %r", error.__cause__ or error)
        form.picture.errors = [str(error)]
        return _page(film, form), 422
    posters.store(film_id, picture, actor=actor())
    flash("The poster is in place.", "success")
    return redirect(url_for("posters.edit", film_id=film_id), 303)


@blueprint.errorhandler(RequestEntityTooLarge)
def _too_large(_: RequestEntityTooLarge) -> Response | tuple[str, int]:
    """The form again: a picture that is too large is mended by choosing another one. It comes before the view."""
    film_id = (request.view_args or {}).get("film_id", "")
    if not may(Action.EDIT):
        return error_page(413)
    form = PosterForm(formdata=None)
    form.picture.errors = [f"The picture is too large: at most {UPLOAD_MAX_BYTES >> 20} MB are taken."]
    return _page(found(FILM, film_id), form), 413


@blueprint.post("/collections/movies/<film_id>/poster/remove")
@requires(Action.EDIT)
def remove(film_id: str) -> Response:
    """Take the film's poster away: it then has one made of its title."""
    posters.remove(found(FILM, film_id)["_id"], actor=actor())
    flash("The poster is removed.", "success")
    return redirect(url_for("posters.edit", film_id=film_id), 303)


def _page(film: Row, form: PosterForm) -> str:
    return render_template(
        "admin/poster.html", name=FILM, view=VIEWS[FILM], film=film, form=form, limit_mb=UPLOAD_MAX_BYTES >> 20
    )
