"""Passkeys: adding and removing them, and using one as the second factor. The scripts are in passkeys.js."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from app.admin import confirmation
from app.admin.accounts import Page, page_of, passkey_site, target
from app.admin.rights import Action, actor, requires
from app.admin.second_factor import CodeForm, entry_page
from app.db.accounts import passkeys
from app.db.core import ValidationFailed
from app.web.accounts import browser_name, renew_session
from app.web.forms import NAME_MAX, TOO_LONG, Form
from app.web.query import single

REFUSED = "This passkey wasn't accepted. Try again, or enter a code."

blueprint = Blueprint("passkeys", __name__, url_prefix="/passkeys")


class PasskeyForm(Form):
    """The name of a new passkey, and what the browser answered when it was made."""

    name = StringField("Name", [InputRequired("Enter a name."), Length(max=NAME_MAX, message=TOO_LONG)])
    credential = HiddenField()


@blueprint.route("/new", methods=["GET", "POST"])
@requires(Action.VIEW)
def add() -> Page:
    """Add a passkey; then the recovery codes, once, if it is the first second factor."""
    if asked := confirmation.ask(url_for("passkeys.add")):
        return asked
    form, site = PasskeyForm(name=browser_name(request.user_agent.string)), passkey_site()
    if site is None or not form.validate_on_submit():
        return page_of("admin/passkey_new.html", form, site=site)
    try:
        codes = passkeys.add(actor(), current_user.get_id(), site, form.name.data, form.credential.data)
    except ValidationFailed as error:
        return page_of("admin/passkey_new.html", form, error.errors["credential"], site=site)
    renew_session(factor=True)
    if codes:
        return render_template("admin/recovery_codes.html", codes=codes, new_factor=True)
    flash("The passkey has been added.", "success")
    return redirect(url_for("accounts.account"))


@blueprint.post("/new/options")
@requires(Action.VIEW)
def add_options() -> Response:
    """For passkeys.js: what the browser needs to make a passkey, as JSON."""
    site = passkey_site()
    if site is None or not confirmation.is_confirmed():
        abort(403)
    return _json(passkeys.begin_adding(actor(), current_user.get_id(), site))


@blueprint.post("/use")
@requires(Action.VIEW)
def use() -> Page:
    """Accept a passkey as the second factor."""
    site, answer = passkey_site(), single(request.form, "credential")
    if site is None or not passkeys.accept(current_user.user_id, current_user.get_id(), site, answer):
        return entry_page(CodeForm(formdata=None), REFUSED)
    renew_session(factor=True)
    return redirect(target())


@blueprint.post("/use/options")
@requires(Action.VIEW)
def use_options() -> Response:
    """For passkeys.js: what the browser needs to use a passkey, as JSON."""
    site = passkey_site()
    if site is None:
        abort(403)
    return _json(passkeys.begin_using(current_user.user_id, current_user.get_id(), site))


@blueprint.post("/remove")
@requires(Action.VIEW)
def remove() -> Page:
    """Remove one of the own passkeys."""
    if asked := confirmation.ask(url_for("accounts.account")):
        return asked
    try:
        passkeys.remove(actor(), single(request.form, "passkey"))
        flash("The passkey has been removed.", "success")
    except ValidationFailed as error:
        flash(error.errors["credential"], "error")
    return redirect(url_for("accounts.account"))


def _json(text: str) -> Response:
    return Response(text, mimetype="application/json")
