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


class LogInForm(Form):
    """Name and password; says nothing about the rules for either, which are the sign-up form's."""

    username = StringField("Name", [InputRequired("Enter your name."), Length(max=NAME_MAX, message=TOO_LONG)])
    password = PasswordField(
        "Password", [InputRequired("Enter your password."), Length(max=PASSWORD_MAX, message=TOO_LONG)]
    )
