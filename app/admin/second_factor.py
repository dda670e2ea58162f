"""The second factor: giving it after the password, setting it up, and new recovery codes."""

from __future__ import annotations

from typing import Any

import segno
from flask import Blueprint, flash, redirect, render_template, url_for
from flask_login import current_user
from markupsafe import Markup
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from app.admin import confirmation
from app.admin.accounts import Page, page_of, passkey_site, target
from app.admin.rights import Action, actor, requires
from app.db.accounts import second_factor, sessions
from app.web.accounts import renew_session
from app.web.forms import TOO_LONG, Form

WRONG = "This code isn't right, or it has been used. Wait for the next one."
QR_SCALE = 5  # pixels per module

blueprint = Blueprint("second_factor", __name__, url_prefix="/second-factor")


class CodeForm(Form):
    """A code from the authenticator app, or a recovery code."""

    code = StringField("Code", [InputRequired("Enter the code."), Length(max=40, message=TOO_LONG)])


@blueprint.route("", methods=["GET", "POST"])
@requires(Action.VIEW)
def enter() -> Page:
    """Ask for the second factor, after the password and before anything else."""
    if not current_user.second_factor or current_user.session.get("factor"):
        return redirect(target())
    form = CodeForm()
    if not form.validate_on_submit():
        return entry_page(form)
    if not second_factor.accept(current_user.user_id, form.code.data):
        form.show({"code": WRONG})
        return entry_page(form)
    renew_session(factor=True)
    return redirect(target())


def entry_page(form: CodeForm, problem: str | None = None) -> Page:
    """The page that asks for a code, or for one of the passkeys that work at this host."""
    factors, site = second_factor.overview(current_user.user_id), passkey_site()
    hosts = sorted({each["host"] for each in factors["passkeys"]})
    here = site is not None and site.host in hosts
    return page_of(
        "admin/second_factor.html", form, problem, focus=not here, app=factors["app"], hosts=hosts, passkey_here=here
    )


@blueprint.route("/set-up", methods=["GET", "POST"])
@requires(Action.VIEW)
def set_up() -> Page:
    """Show a new secret as a QR code, until a code proves that the app has it; then the recovery codes, once."""
    if asked := confirmation.ask(url_for("second_factor.set_up")):
        return asked
    secret = current_user.session.get("pending_secret")
    if secret is None:
        secret = second_factor.new_secret()
        sessions.note(current_user.get_id(), "admin", pending_secret=secret)
    form = CodeForm()
    codes = None
    if form.validate_on_submit():
        codes = second_factor.set_up(actor(), secret, form.code.data)
        if codes is None:
            form.show({"code": WRONG})
    if codes is None:
        return page_of("admin/second_factor_set_up.html", form, focus=False, **_shown(secret))
    renew_session(factor=True, pending_secret=second_factor.new_secret())
    return render_template("admin/recovery_codes.html", codes=codes, new_factor=True)


@blueprint.post("/recovery-codes")
@requires(Action.VIEW)
def recovery_codes() -> Page:
    """Show new recovery codes, once; the old ones are void."""
    if asked := confirmation.ask(url_for("accounts.account")):
        return asked
    if not current_user.second_factor:
        flash("Set up a second factor first.", "error")
        return redirect(url_for("accounts.account"))
    return render_template("admin/recovery_codes.html", codes=second_factor.renew_recovery_codes(actor()))


def _shown(secret: str) -> dict[str, Any]:
    """The secret as a QR code, in groups of four characters, and as a link for apps on this device."""
    address = second_factor.address(current_user.username, secret)
    code = segno.make(address, error="m")
    return {
        "qr": Markup(code.svg_inline(scale=QR_SCALE, light="#fff", svgclass="qr")),  # noqa: S704 - made by segno
        "secret": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        "address": address,
    }
