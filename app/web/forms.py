"""The forms that both apps have, and the base of all others."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

# No account has a longer name or password: what exceeds these is not worth the work of hashing.
NAME_MAX = 64
PASSWORD_MAX = 256
TOO_LONG = "That is too long."


class Form(FlaskForm):
    """A form protected against CSRF."""

    def begin(self) -> None:
        """Let the browser put the focus where something is wrong, or else on the first field."""
        fields = [field for field in self if field.name != "csrf_token"]
        first = next((field for field in fields if field.errors), fields[0])
        first.render_kw = {**(first.render_kw or {}), "autofocus": True}


class LogInForm(Form):
    """Name and password; says nothing about the rules for either, which are the sign-up form's."""

    username = StringField("Name", [InputRequired("Enter your name."), Length(max=NAME_MAX, message=TOO_LONG)])
    password = PasswordField(
        "Password", [InputRequired("Enter your password."), Length(max=PASSWORD_MAX, message=TOO_LONG)]
    )
