"""Sign up, log in, log out, and what one does with one's own account."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Blueprint, Response, flash, jsonify, make_response, redirect, render_template, request, url_for
from flask_limiter import RateLimitExceeded
from flask_login import current_user, login_required
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Field

from app.db.accounts import authenticate, exists, own_account, password_problem, sign_up_problems
from app.db.accounts import sign_up as create_user
from app.db.core import BadQuery, Duplicate, NotFound, ValidationFailed
from app.db.likes import likes
from app.db.operations import find_document
from app.user.forms import ChangePasswordForm, DeleteAccountForm, SignUpForm
from app.web.accounts import local_target, sign_in, sign_out
from app.web.errors import error_page, limit_passed
from app.web.forms import Form, LogInForm
from app.web.query import single

Page = str | AnyResponse | tuple[str, int]

TAKEN = "This name is taken. Please choose another one."
WRONG = "Name or password is wrong."  # never which of them: that would tell who has an account
ADMIN_HERE = "This is an administrator's account. Please use the admin app; for watching, sign up with another name."

blueprint = Blueprint("accounts", __name__)


@blueprint.route("/sign-up", methods=["GET", "POST"])
def sign_up() -> Page:
    """Make an account and be logged in with it."""
    if current_user.is_authenticated:
        return _already(url_for("accounts.account"))
    form = SignUpForm()
    if not form.validate_on_submit():
        if form.is_submitted():
            _say_all(form, sign_up_problems(form.username.data, form.password.data))
        return _entrance("user/sign_up.html", form)
    try:
        user = create_user(form.username.data, form.password.data)
    except (Duplicate, ValidationFailed) as error:
        _say_all(form, error.errors if isinstance(error, ValidationFailed) else {})
        return _entrance("user/sign_up.html", form)
    sign_in(user)
    flash(f"Welcome, {user['username']}.", "success")
    return redirect(_onward())


@blueprint.route("/log-in", methods=["GET", "POST"])
def log_in() -> Page:
    """Start a session; then on to where the person wanted to go."""
    if current_user.is_authenticated:
        return _already(_target())
    form = LogInForm()
    if not form.validate_on_submit():
        return _entrance("user/log_in.html", form)
    user = authenticate(form.username.data, form.password.data)
    if user is None:
        return _entrance("user/log_in.html", form, WRONG)
    if user["admin_status"] > 0:
        return _entrance("user/log_in.html", form, ADMIN_HERE)
    sign_in(user)
    flash(f"Welcome back, {user['username']}.", "success")
    return redirect(_onward())


@blueprint.errorhandler(RateLimitExceeded)
def too_many(_: RateLimitExceeded) -> AnyResponse:
    """At the entrance the form again, so that the name needn't be typed anew. It asks the database for nothing."""
    text, wait = limit_passed()
    entrances = {"accounts.sign_up": ("sign_up", SignUpForm), "accounts.log_in": ("log_in", LogInForm)}
    if request.endpoint not in entrances:
        return error_page(429, text, retry_after=wait)
    name, form = entrances[request.endpoint]
    onward = {"next": _target(default="") or None, "like": request.args.get("like")}
    page = render_template(
        f"user/{name}.html", form=form(), problem=text, onward=onward, film=None, error_page=True, account_unknown=True
    )
    return make_response(page, 429, {"Retry-After": str(wait)})


@blueprint.post("/log-out")
def log_out() -> AnyResponse:
    """End the session, here and on the server."""
    sign_out()
    flash("You are logged out.", "success")
    return redirect(url_for("films.home"))


@blueprint.post("/password-hint")
def password_hint() -> Response:
    """What `sign_up` would say to a password, as JSON, for password.js: {"problem": a sentence or null}.

    The browser asks when typing pauses; the lists that a password is checked against are too large to send there.
    Limited as nobody types (see app.user.PACES), since its work can be made much; beyond that the hint stays away.
    """
    name = current_user.username if current_user.is_authenticated else request.form.get("username", "")
    return jsonify(problem=password_problem(request.form.get("password", ""), name.strip()))


@blueprint.get("/account")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def account() -> str:
    """The signed-in person's own page."""
    return render_template("user/account.html", account=current_user, likes=likes.count(current_user.user_id))


@blueprint.route("/account/password", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def change_password() -> Page:
    """Another password; whoever is logged in elsewhere has to log in again with it."""
    form = ChangePasswordForm()
    if not form.validate_on_submit():
        if form.is_submitted() and (problem := password_problem(form.password.data or "", current_user.username)):
            _say(form, {"password": problem})
        return _form("user/password.html", form)
    try:
        user = own_account.change_password(current_user.user_id, form.current.data, form.password.data)
    except ValidationFailed as error:
        _say(form, error.errors)
        return _form("user/password.html", form)
    sign_in(user)  # with a new token: a copy of the old one is worth nothing
    flash("Your password is changed. Other devices have to log in again.", "success")
    return redirect(url_for("accounts.account"))


@blueprint.route("/account/delete", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def delete() -> Page:
    """The end of an account and of all that is kept with it."""
    form = DeleteAccountForm()
    if not form.validate_on_submit():
        return _form("user/account_delete.html", form, likes=likes.count(current_user.user_id))
    try:
        own_account.delete(current_user.user_id, form.current.data)
    except ValidationFailed as error:
        _say(form, error.errors)
        return _form("user/account_delete.html", form, likes=likes.count(current_user.user_id))
    sign_out()
    flash("Your account is deleted, and everything that was kept with it.", "success")
    return redirect(url_for("films.home"))


@blueprint.get("/account/export")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def export() -> Response:
    """All that is kept about the signed-in person, as a JSON file."""
    text = json.dumps(own_account.export(current_user.user_id), ensure_ascii=False, indent=2)
    disposition = f'attachment; filename="film-library-{current_user.username}.json"'
    return Response(text, mimetype="application/json", headers={"Content-Disposition": disposition})


def _say(form: Form, problems: Mapping[str, str]) -> None:
    """Put what is wrong beside the fields; what the form itself found comes first."""
    for name, sentence in problems.items():
        field: Field = form[name]
        field.errors = field.errors or [sentence]


def _say_all(form: SignUpForm, problems: Mapping[str, str]) -> None:
    """As `_say`, and whether the name is taken: all at once, and not one thing at each attempt."""
    _say(form, problems)
    if not form.username.errors and exists(form.username.data):
        _say(form, {"username": TAKEN})


def _form(template: str, form: Form, **context: object) -> Page:
    """The form; with what was wrong beside it when it has been sent (422), and never with a password in it."""
    if request.method != "POST":
        return render_template(template, form=form, **context)
    form.begin()
    return render_template(template, form=form, **context), 422


def _entrance(template: str, form: LogInForm | SignUpForm, problem: str | None = None) -> Page:
    """Log-in or sign-up, which know where to go on to, and for which film's heart somebody came here."""
    film = _film_to_like()
    onward = {"next": _target(default="") or None, "like": film["_id"] if film else None}
    return _form(template, form, problem=problem, onward=onward, film=film)


def _already(onward: str) -> AnyResponse:
    """Lead on who has logged in meanwhile, in another tab. Following a link likes nothing: the heart is for that."""
    film = _film_to_like()
    if film is None:
        return redirect(onward)
    identifier = str(film["_id"])
    if not likes.liked_among(current_user.user_id, [identifier]):
        flash(f"You are logged in now. Press the heart again, and “{film['title']}” is among your films.", "info")
    return redirect(url_for("film.show", film_id=identifier))


def _target(default: str | None = None) -> str:
    return local_target(request.args.get("next"), url_for("films.home") if default is None else default)


def _film_to_like() -> dict[str, object] | None:
    """The film whose heart somebody pressed before being logged in."""
    wanted = single(request.args, "like")
    if not wanted:
        return None
    try:
        return find_document("movies", wanted)
    except (NotFound, BadQuery):
        return None


def _onward() -> str:
    """Where to go after logging in. What was pressed before is done now: the page with the form has said so."""
    if film := _film_to_like():
        likes.like(current_user.user_id, str(film["_id"]))
        flash(f"“{film['title']}” is among your films.", "success")
    return _target()
