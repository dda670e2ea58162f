"""Log in and out, for administrators."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app.admin.rights import Action, requires
from app.db.accounts import administrators
from app.web.accounts import local_target, sign_in, sign_out
from app.web.forms import LogInForm

WRONG = "Wrong name or password."  # never which of the two: that would reveal who has an account

blueprint = Blueprint("accounts", __name__)


@blueprint.route("/log-in", methods=["GET", "POST"])
def log_in() -> str | Response | tuple[str, int]:
    """Start an administrator's session."""
    if current_user.is_authenticated:
        return redirect(_target())
    form = LogInForm()
    if not form.validate_on_submit():
        return _form(form)
    user = administrators.authenticate(form.username.data, form.password.data)
    if user is None:
        return _form(form, WRONG)
    sign_in(user)
    return redirect(_target())


@blueprint.post("/log-out")
@requires(Action.VIEW)
def log_out() -> Response:
    """End the session in the browser and on the server."""
    sign_out()
    flash("You are logged out.", "success")
    return redirect(url_for("accounts.log_in"))


def _form(form: LogInForm, problem: str | None = None) -> str | tuple[str, int]:
    page = render_template("admin/log_in.html", form=form, problem=problem, next=local_target(_next(), ""))
    return (page, 422) if request.method == "POST" else page


def _target() -> str:
    return local_target(_next(), url_for("dashboards.home"))


def _next() -> str | None:
    return request.args.get("next")
