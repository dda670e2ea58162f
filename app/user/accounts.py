"""Sign up, log in, log out, and the account's own page."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from app.db.errors import Duplicate, ValidationFailed
from app.db.users import authenticate
from app.db.users import sign_up as create_user
from app.user.forms import SignUpForm
from app.web.accounts import local_target, sign_in, sign_out
from app.web.forms import LogInForm

Page = str | Response | tuple[str, int]

WRONG = "Name or password is wrong."  # never which of them: that would tell who has an account
ADMIN_HERE = "This is an administrator's account. Please use the admin app; for watching, sign up with another name."

blueprint = Blueprint("accounts", __name__)


@blueprint.route("/sign-up", methods=["GET", "POST"])
def sign_up() -> Page:
    """Make an account and be logged in with it."""
    if current_user.is_authenticated:
        return redirect(url_for("accounts.account"))
    form = SignUpForm()
    if not form.validate_on_submit():
        return _form("user/sign_up.html", form)
    try:
        user = create_user(form.username.data, form.password.data)
    except Duplicate:
        form.username.errors = ["This name is taken. Please choose another one."]
        return _form("user/sign_up.html", form)
    except ValidationFailed as error:
        form.username.errors = [error.errors["username"]] if "username" in error.errors else []
        form.password.errors = [error.errors["password"]] if "password" in error.errors else []
        return _form("user/sign_up.html", form)
    sign_in(user)
    flash(f"Welcome, {user['username']}.", "success")
    return redirect(_target())


@blueprint.route("/log-in", methods=["GET", "POST"])
def log_in() -> Page:
    """Start a session; then on to where the person wanted to go."""
    if current_user.is_authenticated:
        return redirect(_target())
    form = LogInForm()
    if not form.validate_on_submit():
        return _form("user/log_in.html", form)
    user = authenticate(form.username.data, form.password.data)
    if user is None:
        return _form("user/log_in.html", form, WRONG)
    if user["admin_status"] > 0:
        return _form("user/log_in.html", form, ADMIN_HERE)
    sign_in(user)
    flash(f"Welcome back, {user['username']}.", "success")
    return redirect(_target())


@blueprint.post("/log-out")
def log_out() -> Response:
    """End the session, here and on the server."""
    sign_out()
    flash("You are logged out.", "success")
    return redirect(url_for("films.home"))


@blueprint.get("/account")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def account() -> str:
    """The signed-in person's own page."""
    return render_template("user/account.html", account=current_user)


def _form(template: str, form: LogInForm | SignUpForm, problem: str | None = None) -> Page:
    """The form; with what was wrong beside it when it has been sent (422), and never with the password in it."""
    page = render_template(template, form=form, problem=problem, next=_target(default=""))
    return (page, 422) if request.method == "POST" else page


def _target(default: str | None = None) -> str:
    return local_target(request.args.get("next"), url_for("films.home") if default is None else default)
