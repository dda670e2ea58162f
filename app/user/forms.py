"""The user app's forms. The rules for names and passwords are in `app.db.accounts`."""

from __future__ import annotations

from wtforms import PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

from app.web.forms import NAME_MAX, PASSWORD_MAX, TOO_LONG, Form

_LENGTH = Length(max=PASSWORD_MAX, message=TOO_LONG)


class SignUpForm(Form):
    """A new account."""

    username = StringField("Name", [InputRequired("Choose a name."), Length(max=NAME_MAX, message=TOO_LONG)])
    password = PasswordField("Password", [InputRequired("Choose a password."), _LENGTH])
    repeated = PasswordField(
        "Confirm password",
        [InputRequired("Enter the password again."), EqualTo("password", "The passwords don't match.")],
    )


class DeleteAccountForm(Form):
    """Delete the account. Asks for the password, so that an unattended browser isn't enough."""

    current = PasswordField("Your password", [InputRequired("Enter your password."), _LENGTH])
