"""The user app's own forms."""

from __future__ import annotations

from wtforms import PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

from app.web.forms import NAME_MAX, PASSWORD_MAX, TOO_LONG, Form


class SignUpForm(Form):
    """A new account. The rules for names and passwords are `app.db.users`'; here is only what spares a round trip."""

    username = StringField("Name", [InputRequired("Choose a name."), Length(max=NAME_MAX, message=TOO_LONG)])
    password = PasswordField(
        "Password", [InputRequired("Choose a password."), Length(max=PASSWORD_MAX, message=TOO_LONG)]
    )
    repeated = PasswordField(
        "Password again",
        [InputRequired("Enter the password again."), EqualTo("password", "The two passwords differ.")],
    )
