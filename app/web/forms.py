"""The base of all forms, and the forms of both apps."""

from __future__ import annotations

from collections.abc import Mapping

from flask_wtf import FlaskForm
from wtforms import Field, PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

# No account has a longer name or password, so longer ones needn't be hashed.
NAME_MAX = 64
PASSWORD_MAX = 256
TOO_LONG = "That's too long."


class Form(FlaskForm):
    """A form protected against CSRF."""

    def show(self, problems: Mapping[str, str]) -> None:
        """Show problems beside their fields, unless the form found one there itself."""
        for name, sentence in problems.items():
            field: Field = self[name]
            field.errors = field.errors or [sentence]

    def begin(self) -> None:
        """Have the browser focus the first field with an error, or the first field."""
        fields = [field for field in self if field.name != "csrf_token"]
        first = next((field for field in fields if field.errors), fields[0])
        first.render_kw = {**(first.render_kw or {}), "autofocus": True}


class LogInForm(Form):
    """Name and password, without the sign-up form's rules for them."""

    username = StringField("Name", [InputRequired("Enter your name."), Length(max=NAME_MAX, message=TOO_LONG)])
    password = PasswordField(
        "Password", [InputRequired("Enter your password."), Length(max=PASSWORD_MAX, message=TOO_LONG)]
    )


class ChangePasswordForm(Form):
    """A new password; asks for the current one."""

    current = PasswordField(
        "Current password", [InputRequired("Enter your current password."), Length(max=PASSWORD_MAX, message=TOO_LONG)]
    )
    password = PasswordField(
        "New password", [InputRequired("Choose a new password."), Length(max=PASSWORD_MAX, message=TOO_LONG)]
    )
    repeated = PasswordField(
        "Confirm new password",
        [InputRequired("Enter the new password again."), EqualTo("password", "The passwords don't match.")],
    )
