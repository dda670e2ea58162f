"""Accounts: signing up, checking credentials, administrators."""

import re
import secrets
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal
from uuid import uuid4

from pymongo.client_session import ClientSession

from app.db.accounts import sessions
from app.db.accounts.passwords import (
    MAX_PASSWORD,
    check_password,
    credential_of,
    hash_password,
    needs_rehash,
    password_problem,
)
from app.db.core import (
    ADMIN,
    SUPERADMIN,
    USER,
    Actor,
    Duplicate,
    NotFound,
    Row,
    User,
    ValidationFailed,
    audit,
    check_version,
    driver_errors,
    get_collection,
    in_transaction,
    now,
    public_user,
)
from app.db.records import documents

MAX_USERNAME = 64
LOCKS = "locks"  # {_id: what transactions decide one at a time}
_USERNAME = re.compile(rf"[a-z0-9][a-z0-9._@+-]{{2,{MAX_USERNAME - 1}}}")
# Names that suggest an official role: administrators can assign them, but nobody can sign up with them.
_RESERVED = {"admin", "administrator", "help", "librarian", "library", "moderator", "owner", "root", "staff"}
_RESERVED |= {"superadmin", "superuser", "support", "sysadmin", "system", "webmaster"}


def _normalized(username: Any) -> str:
    return username.strip().lower() if isinstance(username, str) else ""


def _checked(username: Any, password: Any, admin_status: Any = USER) -> str:
    """The normalized name. Raises ValidationFailed with a message for each invalid field.

    A password of None stays unchanged.
    """
    name = _normalized(username)
    if errors := _problems(name, password, admin_status):
        raise ValidationFailed(errors)
    return name


def _problems(name: str, password: Any, admin_status: Any = USER) -> dict[str, str]:
    errors = {}
    if not _USERNAME.fullmatch(name):
        errors["username"] = (
            f"Use 3 to {MAX_USERNAME} letters, digits and . _ @ + - in a user name, and begin with a letter or digit."
        )
    if password is not None and (problem := password_problem(password, name)):
        errors["password"] = problem
    if type(admin_status) is not int or admin_status not in (USER, ADMIN, SUPERADMIN):
        errors["admin_status"] = f"must be one of {USER}, {ADMIN}, {SUPERADMIN}"
    return errors


def _insert(name: str, password: str, admin_status: int, actor: Actor | None = None) -> Row:
    """Write the account; the unique index on `username` decides between concurrent sign-ups with the same name."""
    user = {
        "_id": uuid4().hex,
        "username": name,
        "password_hash": hash_password(password),
        "admin_status": admin_status,
        "created_at": now(),
    }

    def work(session: ClientSession) -> None:
        get_collection("users").insert_one(user, session=session)
        if actor is not None:
            audit.record(actor, "create", "users", user["_id"], None, user, session=session)

    in_transaction(work)
    return public_user(user)


def sign_up_problems(username: Any, password: Any) -> dict[str, str]:
    """Problems with a "username" and "password" as messages; {} if `sign_up` accepts them, unless the name is taken."""
    name = _normalized(username)
    reserved = {"username": "This name is reserved. Please choose another one."} if name in _RESERVED else {}
    return _problems(name, password or "") | reserved


@driver_errors()
def sign_up(username: str, password: str) -> Row:
    """Create an account (admin_status 0) and return it. Raises Duplicate when the name is taken, ValidationFailed."""
    if problems := sign_up_problems(username, password):
        raise ValidationFailed(problems)
    return _insert(_normalized(username), password, USER)


@driver_errors()
def create_user(username: str, password: str, admin_status: int = USER, *, actor: Actor | None = None) -> Row:
    """Create an account with any role, as an administrator; with `actor` it is logged.

    Raises Duplicate when the name is taken, ValidationFailed.
    """
    return _insert(_checked(username, password or "", admin_status), password, admin_status, actor)


@driver_errors()
def update_user(
    user_id: str, changes: Mapping[str, Any], *, actor: Actor | None = None, version: str | None = None
) -> Row:
    """Change `username`, `admin_status` (0, 1 or 2) or `password` of an account and return it.

    Missing and empty values stay unchanged. A new password ends the account's sessions. With `actor` it is logged.
    Raises NotFound, BadQuery, ValidationFailed (also if no superadmin would be left), Duplicate when the name is taken,
    and Conflict when the account is no longer the given `version`.
    """
    wanted = {field: value for field, value in changes.items() if value not in (None, "")}
    if unknown := [str(field) for field in wanted if field not in ("username", "admin_status", "password")]:
        raise ValidationFailed(dict.fromkeys(unknown, "can't be changed"))
    password = wanted.pop("password", None)
    secret: Row = {}

    def work(session: ClientSession) -> Row:
        current = documents.find("users", user_id, session)
        check_version(current, version)
        changed = {**current, **wanted}
        changed["username"] = _checked(changed["username"], password, changed["admin_status"])
        if current["admin_status"] == SUPERADMIN and changed["admin_status"] != SUPERADMIN:
            _leave_a_superadmin(current["_id"], session)
        if password is not None and not secret:
            secret["password_hash"] = hash_password(password)  # slow on purpose: only once despite retries
        update = {field: value for field, value in {**changed, **secret}.items() if current.get(field) != value}
        if update:
            get_collection("users").update_one({"_id": current["_id"]}, {"$set": update}, session=session)
        if actor is not None:
            action = "role" if "admin_status" in update else "edit"
            details = {"password": "changed"} if secret else {}
            audit.record(actor, action, "users", current["_id"], current, changed, session=session, **details)
        return changed

    user = in_transaction(work)
    if password is not None:
        sessions.close_all(user_id)
    return user


@driver_errors()
def delete_user(user_id: str, *, actor: Actor | None = None, cascade: bool = False, version: str | None = None) -> bool:
    """Delete an account and end its sessions; returns whether it existed. With `actor` it is logged.

    Raises Referenced when it has likes and `cascade` is False, ValidationFailed for the last superadmin, Conflict when
    it is no longer the given `version`, and BadQuery.
    """

    def work(session: ClientSession) -> bool:
        try:
            current = documents.find("users", user_id, session)
        except NotFound:
            return False
        check_version(current, version)
        if current["admin_status"] == SUPERADMIN:
            _leave_a_superadmin(current["_id"], session)
        dependents = (
            documents.find_dependents(session, "users", current["_id"], audit.MAX_DEPENDENTS)
            if cascade and actor
            else {}
        )
        gone = documents.delete(session, "users", current, cascade=cascade)
        if actor is not None:
            audit.record_deletion(actor, "users", current, gone, dependents, session=session)
        return True

    deleted = in_transaction(work)
    sessions.close_all(user_id)
    return deleted


def _leave_a_superadmin(user_id: str, session: ClientSession) -> None:
    """Raises ValidationFailed if this is the last superadmin.

    Two superadmins who demote each other concurrently would each still see the other, so both transactions first write
    to the same document, which makes one wait for the other.
    """
    get_collection(LOCKS).update_one({"_id": "superadmins"}, {"$inc": {"taken": 1}}, upsert=True, session=session)
    if get_collection("users").find_one({"admin_status": SUPERADMIN, "_id": {"$ne": user_id}}, session=session) is None:
        raise ValidationFailed({"admin_status": "This is the last superadmin; create another one first."})


@driver_errors()
def authenticate(username: str, password: str) -> Row | None:
    """The user with these credentials, or None; it takes the same time whether or not the name exists.

    Open the session with the returned "credential", so that it ends when this password is replaced.
    """
    if not isinstance(username, str) or not isinstance(password, str) or len(password) > MAX_PASSWORD:
        return None
    user = get_collection("users").find_one({"username": _normalized(username)})
    if user is None:
        check_password(_nobodys_hash(), password)
        return None
    if not check_password(user["password_hash"], password):
        return None
    if needs_rehash(user["password_hash"]):
        # With the old hash in the filter, a concurrent password change isn't undone.
        hashed = hash_password(password)
        query = {"_id": user["_id"], "password_hash": user["password_hash"]}
        if not get_collection("users").update_one(query, {"$set": {"password_hash": hashed}}).matched_count:
            return authenticate(username, password)
        user["password_hash"] = hashed
    return public_user(user) | {"credential": credential_of(user["password_hash"])}


@cache
def _nobodys_hash() -> str:
    return hash_password(secrets.token_hex())


@driver_errors()
def exists(username: str) -> bool:
    """Whether an account with this name exists."""
    return User.objects(username=_normalized(username)).only("id").first() is not None


@driver_errors()
def create_admin(
    username: str, password: str | None = None, *, superadmin: bool = False
) -> tuple[Row, Literal["created", "changed", "unchanged"]]:
    """Ensure that an administrator with this name exists; returns it and what was done.

    An existing account gets the password, if given, and is promoted if necessary, never demoted; a new password ends
    its sessions. Raises ValidationFailed, also for a new account without a password.
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
