"""Sign up, log in, log out, and manage one's own account."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Blueprint, Response, flash, jsonify, make_response, redirect, render_template, request, url_for
from flask_limiter import RateLimitExceeded
from flask_login import current_user, login_required
from werkzeug.wrappers import Response as AnyResponse

from app.db.accounts import authenticate, exists, own_account, password_problem, sign_up_problems
from app.db.accounts import sign_up as create_user
from app.db.core import BadQuery, Duplicate, NotFound, ValidationFailed
from app.db.likes import likes
from app.db.operations import find_document
from app.user.forms import DeleteAccountForm, SignUpForm
from app.web.accounts import end_sessions, local_target, open_sessions, sign_in, sign_out
from app.web.errors import error_page, limit_passed
from app.web.forms import ChangePasswordForm, Form, LogInForm
from app.web.query import single

Page = str | AnyResponse | tuple[str, int]

TAKEN = "This name is taken. Please choose another."
WRONG = "Wrong name or password."  # never which of the two: that would reveal who has an account

blueprint = Blueprint("accounts", __name__)


@blueprint.route("/sign-up", methods=["GET", "POST"])
def sign_up() -> Page:
    """Create an account and log in with it."""
    if current_user.is_authenticated:
        return _already_logged_in(url_for("accounts.account"))
    form = SignUpForm()
    if not form.validate_on_submit():
        if form.is_submitted():
            _show_sign_up_problems(form, sign_up_problems(form.username.data, form.password.data))
        return _entry_page("user/sign_up.html", form)
    try:
        user = create_user(form.username.data, form.password.data)
    except (Duplicate, ValidationFailed) as error:
        _show_sign_up_problems(form, error.errors if isinstance(error, ValidationFailed) else {})
        return _entry_page("user/sign_up.html", form)
    sign_in(user)
    flash(f"Welcome, {user['username']}.", "success")
    return redirect(_onward())


@blueprint.route("/log-in", methods=["GET", "POST"])
def log_in() -> Page:
    """Start a session, then go on to the page asked for."""
    if current_user.is_authenticated:
        return _already_logged_in(_target())
    form = LogInForm()
    if not form.validate_on_submit():
        return _entry_page("user/log_in.html", form)
    user = authenticate(form.username.data, form.password.data)
    if user is None:
        return _entry_page("user/log_in.html", form, WRONG)
    sign_in(user)
    flash(f"Welcome back, {user['username']}.", "success")
    return redirect(_onward())


@blueprint.errorhandler(RateLimitExceeded)
def too_many(_: RateLimitExceeded) -> AnyResponse:
    """Show log-in and sign-up forms again with the name still filled in. Doesn't ask the database."""
    text, wait = limit_passed()
    entry_forms = {"accounts.sign_up": ("sign_up", SignUpForm), "accounts.log_in": ("log_in", LogInForm)}
    if request.endpoint not in entry_forms:
        return error_page(429, text, retry_after=wait)
    name, form = entry_forms[request.endpoint]
    onward = {"next": _target(default="") or None, "like": request.args.get("like")}
    page = render_template(
        f"user/{name}.html", form=form(), problem=text, onward=onward, film=None, error_page=True, account_unknown=True
    )
    return make_response(page, 429, {"Retry-After": str(wait)})


@blueprint.post("/log-out")
def log_out() -> AnyResponse:
    """End the session in the browser and on the server."""
    sign_out()
    flash("You are logged out.", "success")
    return redirect(url_for("films.home"))


@blueprint.post("/password-hint")
def password_hint() -> Response:
    """What is wrong with a password, as JSON for password.js: {"problem": a sentence or null}.

    The browser asks when typing pauses, because the password lists are too large to send. Limited by app.user.PACES:
    a check can be expensive.
    """
    name = current_user.username if current_user.is_authenticated else request.form.get("username", "")
    return jsonify(problem=password_problem(request.form.get("password", ""), name.strip()))


@blueprint.get("/account")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def account() -> str:
    """The account page of the signed-in user."""
    return render_template(
        "user/account.html",
        account=current_user,
        likes=likes.count(current_user.user_id),
        sessions=open_sessions(),
    )


@blueprint.post("/account/sessions/end")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def end_session() -> AnyResponse:
    """End one of the user's sessions, or all others."""
    end_sessions(single(request.form, "session"))
    return redirect(url_for("accounts.account"))


@blueprint.route("/account/password", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def change_password() -> Page:
    """Change the password and end all other sessions."""
    form = ChangePasswordForm()
    if not form.validate_on_submit():
        if form.is_submitted() and (problem := password_problem(form.password.data or "", current_user.username)):
            form.show({"password": problem})
        return _form("user/password.html", form)
    try:
        user = own_account.change_password(current_user.user_id, form.current.data, form.password.data)
    except ValidationFailed as error:
        form.show(error.errors)
        return _form("user/password.html", form)
    sign_in(user)  # with a new token, so that a copy of the old cookie is useless
    flash("Your password has been changed. Your other devices have been logged out.", "success")
    return redirect(url_for("accounts.account"))


@blueprint.route("/account/delete", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def delete() -> Page:
    """Delete the account and everything stored with it."""
    form = DeleteAccountForm()
    if not form.validate_on_submit():
        return _form("user/account_delete.html", form, likes=likes.count(current_user.user_id))
    try:
        own_account.delete(current_user.user_id, form.current.data)
    except ValidationFailed as error:
        form.show(error.errors)
        return _form("user/account_delete.html", form, likes=likes.count(current_user.user_id))
    sign_out()
    flash("Your account and everything stored with it have been deleted.", "success")
    return redirect(url_for("films.home"))


@blueprint.get("/account/export")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def export() -> Response:
    """Everything stored about the signed-in user, as a JSON file."""
    text = json.dumps(own_account.export(current_user.user_id), ensure_ascii=False, indent=2)
    disposition = f'attachment; filename="film-library-{current_user.username}.json"'
    return Response(text, mimetype="application/json", headers={"Content-Disposition": disposition})


def _show_sign_up_problems(form: SignUpForm, problems: Mapping[str, str]) -> None:
    """Show all problems at once, a taken name included."""
    form.show(problems)
    if not form.username.errors and exists(form.username.data):
        form.show({"username": TAKEN})


def _form(template: str, form: Form, **context: object) -> Page:
    """The form; after a POST with its problems and status 422. Passwords are never sent back."""
    if request.method != "POST":
        return render_template(template, form=form, **context)
    form.begin()
    return render_template(template, form=form, **context), 422


def _entry_page(template: str, form: LogInForm | SignUpForm, problem: str | None = None) -> Page:
    """The log-in or sign-up page. Its links and form keep the page to go on to and the film to like."""
    film = _film_to_like()
    onward = {"next": _target(default="") or None, "like": film["_id"] if film else None}
    return _form(template, form, problem=problem, onward=onward, film=film)


def _already_logged_in(onward: str) -> AnyResponse:
    """Go on if the user has logged in meanwhile, in another tab. A link (GET) never likes a film."""
    film = _film_to_like()
    if film is None:
        return redirect(onward)
    identifier = str(film["_id"])
    if not likes.liked_among(current_user.user_id, [identifier]):
        flash(f"You're logged in now. Press Like again to add “{film['title']}” to your likes.", "info")
    return redirect(url_for("film.show", film_id=identifier))


def _target(default: str | None = None) -> str:
    return local_target(request.args.get("next"), url_for("films.home") if default is None else default)


def _film_to_like() -> dict[str, object] | None:
    """The film that was liked before logging in."""
    wanted = single(request.args, "like")
    if not wanted:
        return None
    try:
        return find_document("movies", wanted)
    except (NotFound, BadQuery):
        return None


def _onward() -> str:
    """Where to go after logging in. Saves the like that led here, as the form announced."""
    if film := _film_to_like():
        likes.like(current_user.user_id, str(film["_id"]))
        flash(f"“{film['title']}” was added to your likes.", "success")
    return _target()
