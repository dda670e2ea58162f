"""The Like button on every film, and the page of a user's likes."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, flash, g, jsonify, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from flask_wtf.csrf import CSRFError
from markupsafe import Markup
from werkzeug.wrappers import Response

from app.db.core import BadQuery, NotFound
from app.db.likes import likes, taste
from app.db.operations import find_document
from app.web.accounts import local_target
from app.web.errors import CSRF_TEXT, error_page
from app.web.query import once, single

FILMS_PER_PAGE = 48


class Sort(NamedTuple):
    """An order of the likes page: one of `likes.SORTS`, the direction, and its name on the page."""

    by: str
    descending: bool
    words: str


SORTS = {
    "newest": Sort("liked", True, "Recently liked first"),
    "first": Sort("liked", False, "Recently liked last"),
    "title": Sort("title", False, "Title, A to Z"),
    "rating": Sort("rating", True, "Highest rated"),
    "latest": Sort("year", True, "Newest films"),
    "earliest": Sort("year", False, "Oldest films"),
}
_LIKED = Markup(
    '{film} was added to <a href="{likes}">your likes</a>. '
    '<button class="link-button" form="likes" formaction="{action}" name="like" value="no">Undo</button>'
)
_UNLIKED = Markup(
    "{film} was removed from your likes. "
    '<button class="link-button" form="likes" formaction="{action}" name="like" value="yes">Undo</button>'
)

blueprint = Blueprint("likes", __name__)


@blueprint.app_template_global()
def liked() -> frozenset[str] | None:
    """The films that the signed-in user likes, read once per request; None if nobody is signed in."""
    if "liked" not in g:
        g.liked = likes.liked(current_user.user_id) if current_user.is_authenticated else None
    films: frozenset[str] | None = g.liked
    return films


@blueprint.post("/films/<film_id>/like")
def like(film_id: str) -> Response | tuple[Response, int]:
    """Like a film (`like` is "yes") or unlike it ("no"). Idempotent.

    likes.js gets JSON, or 401 with the address of the log-in page if the session has ended. Without JavaScript the
    browser goes back to the page it came from, which offers an undo.
    """
    wanted = once(request.form, "like")
    if wanted not in {"yes", "no"}:
        raise BadQuery("like must be yes or no")
    here = local_target(once(request.form, "next"), url_for("film.show", film_id=film_id))
    if not current_user.is_authenticated:
        return _log_in_first(film_id, here)
    change, message = (likes.like, _LIKED) if wanted == "yes" else (likes.unlike, _UNLIKED)
    change(current_user.user_id, film_id)
    if _in_script():
        return jsonify(liked=wanted == "yes")
    action = url_for("likes.like", film_id=film_id)
    flash(message.format(film=_name(film_id), action=action, likes=url_for("likes.show")), "success")
    return redirect(here)


@blueprint.errorhandler(CSRFError)
def too_old(_: CSRFError) -> Response | tuple[Response, int]:
    """A CSRF token ends with its session: after logging out in another tab, log in rather than reload."""
    view_args = request.view_args or {}
    stale = "csrf_token" in request.form and "film_id" in view_args  # without a token it isn't our button
    if current_user.is_authenticated or not stale:
        return error_page(400, CSRF_TEXT)
    here = local_target(request.form.get("next"), url_for("film.show", **view_args))
    return _log_in_first(view_args["film_id"], here)


def _log_in_first(film_id: str, here: str) -> Response | tuple[Response, int]:
    like_then = film_id if request.form.get("like") == "yes" else None
    log_in = url_for("accounts.log_in", next=here, like=like_then)
    return (jsonify(log_in=log_in), 401) if _in_script() else redirect(log_in)


def _in_script() -> bool:
    return request.headers.get("X-Requested-With") == "like"


def _name(film_id: str) -> str:
    try:
        return f"“{find_document('movies', film_id)['title']}”"
    except NotFound:  # deleted meanwhile; a like doesn't check
        return "The film"


@blueprint.get("/my-films")
def old_address() -> Response:
    """The page's former address."""
    query = request.query_string.decode("ascii", "replace")
    return redirect(url_for("likes.show") + (f"?{query}" if query else ""), 301)


@blueprint.get("/likes")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def show() -> str:
    """The films that the signed-in user likes, and their taste in words."""
    name = single(request.args, "sort") or next(iter(SORTS))
    if name not in SORTS:
        raise BadQuery(f"sort must be one of {', '.join(SORTS)}")
    after = single(request.args, "after") or None
    sort = SORTS[name]
    page = likes.page(current_user.user_id, sort=sort.by, descending=sort.descending, after=after, limit=FILMS_PER_PAGE)
    return render_template(
        "user/likes.html",
        page=page,
        sorts=SORTS,
        sort=name,
        continued=bool(after),
        count=likes.count(current_user.user_id),
        profile=None if after else taste.profile(current_user.user_id),
    )
