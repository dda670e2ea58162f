"""Administrators' own accounts: logging in and out, password, sessions, and confirming the password."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from app.admin.confirmation import VALID
from app.admin.rights import Action, actor, requires
from app.db.accounts import administrators, passkeys, second_factor
from app.db.core import ValidationFailed, now
from app.web.accounts import end_sessions, local_target, open_sessions, renew_session, sign_in, sign_out
from app.web.forms import PASSWORD_MAX, TOO_LONG, ChangePasswordForm, Form, LogInForm
from app.web.query import single

WRONG = "Wrong name or password."  # never which of the two: that would reveal who has an account
Page = str | Response | tuple[str, int]

blueprint = Blueprint("accounts", __name__)


class ConfirmForm(Form):
    """The own password again."""

    current = PasswordField(
        "Your password", [InputRequired("Enter your password."), Length(max=PASSWORD_MAX, message=TOO_LONG)]
    )


@blueprint.route("/log-in", methods=["GET", "POST"])
def log_in() -> Page:
    """Start an administrator's session. `app.admin.access` leads to what has to be done first, if anything."""
    if current_user.is_authenticated:
        return redirect(target())
    form = LogInForm()
    if not form.validate_on_submit():
        return page_of("admin/log_in.html", form)
    admin = administrators.authenticate(form.username.data, form.password.data)
    if admin is None:
        return page_of("admin/log_in.html", form, WRONG)
    sign_in(admin)
    return redirect(target())


@blueprint.post("/log-out")
@requires(Action.VIEW)
def log_out() -> Response:
    """End the session in the browser and on the server."""
    sign_out()
    flash("You are logged out.", "success")
    return redirect(url_for("accounts.log_in"))


@blueprint.get("/account")
@requires(Action.VIEW)
def account() -> str:
    """The own account: password, second factor, sessions."""
    return render_template(
        "admin/account.html",
        account=current_user,
        sessions=open_sessions(),
        factors=second_factor.overview(current_user.user_id),
        most_passkeys=passkeys.MOST,
    )


@blueprint.route("/account/password", methods=["GET", "POST"])
@requires(Action.VIEW)
def change_password() -> Page:
    """Change the password and end all other sessions. Nothing else works while the password has expired."""
    form = ChangePasswordForm()
    if not form.validate_on_submit():
        return page_of("admin/password.html", form)
    try:
        admin = administrators.change_password(actor(), form.current.data, form.password.data)
    except ValidationFailed as error:
        form.show(error.errors)
        return page_of("admin/password.html", form)
    sign_in(admin, factor=current_user.session.get("factor", False))  # a new token: copies of the cookie are useless
    flash("Your password has been changed. Your other sessions have been ended.", "success")
    return redirect(target(url_for("accounts.account")))


@blueprint.post("/account/sessions/end")
@requires(Action.VIEW)
def end_session() -> Response:
    """End one of the own sessions, or all others."""
    end_sessions(single(request.form, "session"))
    return redirect(url_for("accounts.account"))


@blueprint.route("/confirm", methods=["GET", "POST"])
@requires(Action.VIEW)
def confirm() -> Page:
    """Enter the password again (see `app.admin.confirmation`)."""
    form = ConfirmForm()
    if not form.validate_on_submit():
        return page_of("admin/confirm.html", form)
    if not administrators.is_password(current_user.user_id, form.current.data):
        form.show({"current": "This isn't your password."})
        return page_of("admin/confirm.html", form)
    renew_session(confirmed_at=now())
    flash(f"Confirmed for {VALID.seconds // 60} minutes.", "success")
    return redirect(target(url_for("accounts.account")))


def page_of(template: str, form: Form, problem: str | None = None, *, focus: bool = True, **context: Any) -> Page:
    """The form, with a field focused; after a POST with its problems and status 422."""
    if focus or request.method == "POST":
        form.begin()
    page = render_template(template, form=form, problem=problem, next=target("") or None, **context)
    return (page, 422) if request.method == "POST" else page


def passkey_site() -> passkeys.Site | None:
    """Where passkeys work: the host of the request, which is among the trusted ones; None for an IP address."""
    host = urlsplit(f"//{request.host}").hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return passkeys.Site(host, f"{request.scheme}://{request.host}") if host else None
    return None


def target(default: str | None = None) -> str:
    """Where to go on to: the address's `next`, or `default`, or the start page."""
    return local_target(request.args.get("next"), url_for("dashboards.home") if default is None else default)
