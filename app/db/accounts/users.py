"""Users of the user app: signing up, checking credentials, and what administrators do with their accounts."""

from collections.abc import Mapping
from typing import Any

from pymongo.client_session import ClientSession

from app.db.accounts import credentials
from app.db.core import Actor, Row, User, ValidationFailed, driver_errors

COLLECTION = "users"
# Names that suggest an official role: administrators can assign them, but nobody can sign up with them.
_RESERVED = {"admin", "administrator", "help", "librarian", "library", "moderator", "owner", "root", "staff"}
_RESERVED |= {"superadmin", "superuser", "support", "sysadmin", "system", "webmaster"}


def sign_up_problems(username: Any, password: Any) -> dict[str, str]:
    """Problems with a "username" and "password" as messages; {} if `sign_up` accepts them, unless the name is taken."""
    name = credentials.normalized(username)
    reserved = {"username": "This name is reserved. Please choose another one."} if name in _RESERVED else {}
    return credentials.problems(name, password or "") | reserved


@driver_errors()
def sign_up(username: str, password: str) -> Row:
    """Create an account and return it. Raises Duplicate when the name is taken, ValidationFailed."""
    if problems := sign_up_problems(username, password):
        raise ValidationFailed(problems)
    return credentials.insert(COLLECTION, credentials.normalized(username), password)


@driver_errors()
def create_user(username: str, password: str, *, actor: Actor | None = None) -> Row:
    """Create an account, as an administrator; with `actor` it is logged.

    Raises Duplicate when the name is taken, ValidationFailed.
    """
    return credentials.insert(COLLECTION, credentials.checked(username, password or ""), password, actor)


@driver_errors()
def update_user(
    user_id: str, changes: Mapping[str, Any], *, actor: Actor | None = None, version: str | None = None
) -> Row:
    """Change `username` or `password` of an account and return it.

    Missing and empty values stay unchanged. A new password ends the account's sessions. With `actor` it is logged.
    Raises NotFound, BadQuery, ValidationFailed, Duplicate when the name is taken, and Conflict when the account is no
    longer the given `version`.
    """
    wanted = {field: value for field, value in changes.items() if value not in (None, "")}
    if unknown := [str(field) for field in wanted if field not in ("username", "password")]:
        raise ValidationFailed(dict.fromkeys(unknown, "can't be changed"))
    password = wanted.pop("password", None)
    return credentials.update(COLLECTION, user_id, wanted, password, _allow, actor=actor, version=version)


@driver_errors()
def delete_user(user_id: str, *, actor: Actor | None = None, cascade: bool = False, version: str | None = None) -> bool:
    """Delete an account and end its sessions; returns whether it existed. With `actor` it is logged.

    Raises Referenced when it has likes and `cascade` is False, Conflict when it is no longer the given `version`, and
    BadQuery.
    """
    return credentials.delete(COLLECTION, user_id, _allow, actor=actor, cascade=cascade, version=version)


def _allow(current: Row, changed: Row | None, session: ClientSession) -> None:
    """Users have no restrictions."""


@driver_errors()
def authenticate(username: str, password: str) -> Row | None:
    """The user with these credentials, or None, as `credentials.authenticate`."""
    return credentials.authenticate(COLLECTION, username, password)


@driver_errors()
def exists(username: str) -> bool:
    """Whether a user with this name exists."""
    return User.objects(username=credentials.normalized(username)).only("id").first() is not None
