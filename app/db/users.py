"""Accounts: signing up, checking credentials, administrators."""

import re
import secrets
from functools import cache
from typing import Any, Literal
from uuid import uuid4

from app.db import sessions
from app.db.connection import Row, driver_errors, get_collection
from app.db.errors import BadQuery, Duplicate, ValidationFailed
from app.db.models import ADMIN, MAX_ID, SUPERADMIN, USER, User, public_user
from app.db.passwords import MAX_PASSWORD, check_password, hash_password, needs_rehash, password_problem

MAX_USERNAME = 64
_USERNAME = re.compile(rf"[a-z0-9][a-z0-9._@+-]{{2,{MAX_USERNAME - 1}}}")


def _normalized(username: Any) -> str:
    return username.strip().lower() if isinstance(username, str) else ""


def _checked(username: Any, password: Any) -> str:
    """The name as it is kept. Raises ValidationFailed with a sentence for each field that isn't accepted."""
    name, errors = _normalized(username), {}
    if not _USERNAME.fullmatch(name):
        errors["username"] = (
            f"Use 3 to {MAX_USERNAME} letters, digits and . _ @ + - in a user name, and begin with a letter or digit."
        )
    if problem := password_problem(password, name):
        errors["password"] = problem
    if errors:
        raise ValidationFailed(errors)
    return name


def _insert(name: str, password: str, admin_status: int) -> Row:
    """Write the account; the unique index on `username` decides between two who want one name at the same time."""
    password_hash = hash_password(password)
    user = User(id=uuid4().hex, username=name, password_hash=password_hash, admin_status=admin_status)
    user.save(force_insert=True)
    return public_user(user.to_mongo().to_dict())


@driver_errors()
def sign_up(username: str, password: str) -> Row:
    """Make an account (admin_status 0) and return it. Raises Duplicate when the name is taken, ValidationFailed."""
    return _insert(_checked(username, password), password, USER)


@driver_errors()
def authenticate(username: str, password: str) -> Row | None:
    """The user with these credentials, or None, which comes after the same time whether or not the name exists."""
    if not isinstance(username, str) or not isinstance(password, str) or len(password) > MAX_PASSWORD:
        return None
    user = get_collection("users").find_one({"username": _normalized(username)})
    if user is None:
        check_password(_nobodys_hash(), password)
        return None
    if not check_password(user["password_hash"], password):
        return None
    if needs_rehash(user["password_hash"]):
        # The old hash in the filter: a password that is being changed at this moment is not undone.
        get_collection("users").update_one(
            {"_id": user["_id"], "password_hash": user["password_hash"]},
            {"$set": {"password_hash": hash_password(password)}},
        )
    return public_user(user)


@cache
def _nobodys_hash() -> str:
    return hash_password(secrets.token_hex())


@driver_errors()
def get_user(user_id: str) -> Row | None:
    """The user with this id, or None. Raises BadQuery when the id is no string."""
    if not isinstance(user_id, str) or len(user_id) > MAX_ID:
        raise BadQuery("a user's id is a short string")
    user = get_collection("users").find_one({"_id": user_id})
    return None if user is None else public_user(user)


@driver_errors()
def exists(username: str) -> bool:
    """Whether there is an account of this name."""
    return get_collection("users").find_one({"username": _normalized(username)}, {"_id": 1}) is not None


@driver_errors()
def create_admin(
    username: str, password: str | None = None, *, superadmin: bool = False
) -> tuple[Row, Literal["created", "changed", "unchanged"]]:
    """Make sure that an administrator of this name exists; returns it and what was done.

    An existing account gets the password given, if any, and is raised to the role asked for, never lowered; a new
    password ends its open sessions. Raises ValidationFailed, also for a new account without a password.
    """
    wanted = SUPERADMIN if superadmin else ADMIN
    name = _normalized(username)
    user = get_collection("users").find_one({"username": name})
    if user is None:
        if password is None:
            raise ValidationFailed({"password": f"There is no user {name}; a new one needs a password."})
        try:
            return _insert(_checked(name, password), password, wanted), "created"
        except Duplicate:
            return create_admin(username, password, superadmin=superadmin)
    changes: Row = {}
    if user["admin_status"] < wanted:
        changes["admin_status"] = wanted
    if password is not None and not check_password(user["password_hash"], password):
        _checked(name, password)
        changes["password_hash"] = hash_password(password)
    if not changes:
        return public_user(user), "unchanged"
    get_collection("users").update_one({"_id": user["_id"]}, {"$set": changes})
    if "password_hash" in changes:
        sessions.close_all(user["_id"])
    return public_user({**user, **changes}), "changed"
