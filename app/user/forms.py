"""The user app's own forms. The rules for names and passwords are in `app.db.accounts`.

What is checked here spares a round trip.
"""

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
        "Password again",
        [InputRequired("Enter the password again."), EqualTo("password", "The two passwords differ.")],
    )


class ChangePasswordForm(Form):
    """Another password, by somebody who knows the present one."""

    current = PasswordField("Present password", [InputRequired("Enter your present password."), _LENGTH])
    password = PasswordField("New password", [InputRequired("Choose a new password."), _LENGTH])
    repeated = PasswordField(
        "New password again",
        [InputRequired("Enter the new password again."), EqualTo("password", "The two passwords differ.")],
    )


class DeleteAccountForm(Form):
    """The end of an account: asks for the password again, because a browser left open must not be enough."""

    current = PasswordField("Your password", [InputRequired("Enter your password."), _LENGTH])
