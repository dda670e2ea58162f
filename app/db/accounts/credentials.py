"""Names and passwords, of users and of administrators, who are in collections of their own."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any
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
    Actor,
    NotFound,
    Row,
    ValidationFailed,
    audit,
    check_version,
    get_collection,
    in_transaction,
    now,
    public_account,
)
from app.db.records import documents

MAX_USERNAME = 64
WRONG_PASSWORD = "This isn't your password."  # noqa: S105 - a sentence
_USERNAME = re.compile(rf"[a-z0-9][a-z0-9._@+-]{{2,{MAX_USERNAME - 1}}}")

Guard = Callable[[Row, Row | None, ClientSession], None]
"""Called with an account before and after a change (None: its deletion); raises to prevent it."""


def normalized(username: Any) -> str:
    """The name as it is stored; "" for no string."""
    return username.strip().lower() if isinstance(username, str) else ""


def problems(name: str, password: Any) -> dict[str, str]:
    """What is wrong with a normalized "username" and a "password", as messages. A password of None stays unchanged."""
    errors = {}
    if not _USERNAME.fullmatch(name):
        errors["username"] = (
            f"Use 3 to {MAX_USERNAME} letters, digits and . _ @ + - in a user name, and begin with a letter or digit."
        )
    if password is not None and (problem := password_problem(password, name)):
        errors["password"] = problem
    return errors


def checked(username: Any, password: Any) -> str:
    """The normalized name. Raises ValidationFailed with a message for each invalid field."""
    name = normalized(username)
    if errors := problems(name, password):
        raise ValidationFailed(errors)
    return name


def insert(collection: str, name: str, password: str, actor: Actor | None = None, **fields: Any) -> Row:
    """Add an account and return it; the unique index on `username` decides between concurrent ones with the same name.

    Raises Duplicate.
    """
    account = {
        "_id": uuid4().hex,
        "username": name,
        "password_hash": hash_password(password),
        **fields,
        "created_at": now(),
    }

    def work(session: ClientSession) -> None:
        get_collection(collection).insert_one(account, session=session)
        if actor is not None:
            audit.record(actor, "create", collection, account["_id"], None, account, session=session)

    in_transaction(work)
    return public_account(account)


def update(
    collection: str,
    account_id: str,
    wanted: Mapping[str, Any],
    password: str | None,
    guard: Guard,
    *,
    actor: Actor | None,
    version: str | None,
    with_password: Mapping[str, Any] | None = None,
) -> Row:
    """Change fields, and the password unless None, which ends the account's sessions; returns the account.

    `with_password` are fields that are set along with a password.

    Raises NotFound, BadQuery, ValidationFailed, Duplicate, Conflict.
    """
    secret: Row = {}

    def work(session: ClientSession) -> Row:
        current = documents.find(collection, account_id, session)
        check_version(current, version)
        changed = {**current, **wanted}
        changed["username"] = checked(changed["username"], password)
        guard(current, changed, session)
        if password is not None and not secret:
            secret.update(
                with_password or {}, password_hash=hash_password(password)
            )  # slow on purpose: only once despite retries
        update = {field: value for field, value in {**changed, **secret}.items() if current.get(field) != value}
        if update:
            get_collection(collection).update_one({"_id": current["_id"]}, {"$set": update}, session=session)
        if actor is not None:
            action = "role" if "admin_status" in update else "edit"
            details = {"password": "changed"} if secret else {}
            audit.record(actor, action, collection, current["_id"], current, changed, session=session, **details)
        return public_account(changed)

    account = in_transaction(work)
    if password is not None:
        sessions.close_others(account_id, sessions.KIND_OF[collection])
    return account


def delete(
    collection: str, account_id: str, guard: Guard, *, actor: Actor | None, cascade: bool, version: str | None
) -> bool:
    """Delete an account and end its sessions; returns whether it existed.

    Raises Referenced, Conflict, BadQuery, and what `guard` raises.
    """

    def work(session: ClientSession) -> bool:
        try:
            current = documents.find(collection, account_id, session)
        except NotFound:
            return False
        check_version(current, version)
        guard(current, None, session)
        dependents = (
            documents.find_dependents(session, collection, current["_id"], audit.MAX_DEPENDENTS)
            if cascade and actor
            else {}
        )
        gone = documents.delete(session, collection, current, cascade=cascade)
        if actor is not None:
            audit.record_deletion(actor, collection, current, gone, dependents, session=session)
        return True

    deleted = in_transaction(work)
    sessions.close_others(account_id, sessions.KIND_OF[collection])
    return deleted


def change_password(collection: str, account_id: str, current: Any, new: Any, unset: Sequence[str] = ()) -> Row:
    """Change the own password, which ends all the account's sessions; returns the account as `authenticate` does.

    The fields `unset` are removed with it.
    Raises ValidationFailed with a message for "current" or "password" (the new one), and NotFound.
    """
    account = confirmed(collection, account_id, current)
    if problem := password_problem(new, account["username"]):
        raise ValidationFailed({"password": problem})
    if new == current:
        raise ValidationFailed({"password": "This is the password that you have. Choose another one."})
    hashed = hash_password(new)
    update: Row = {"$set": {"password_hash": hashed}}
    if unset:
        update["$unset"] = dict.fromkeys(unset, "")
    # With the old hash in the filter, the second of two concurrent changes fails.
    query = {"_id": account["_id"], "password_hash": account["password_hash"]}
    if not get_collection(collection).update_one(query, update).matched_count:
        raise ValidationFailed({"current": WRONG_PASSWORD})
    sessions.close_others(account["_id"], sessions.KIND_OF[collection])  # already invalid; this only removes them
    return public_account(account) | {"credential": credential_of(hashed)}


def confirmed(collection: str, account_id: str, password: Any) -> Row:
    """The account with its hash, if this is its password. Raises ValidationFailed ("current"), NotFound."""
    account = get_collection(collection).find_one({"_id": str(account_id)})
    if account is None:
        raise NotFound(f"there is no account {account_id!r:.80}")
    if not isinstance(password, str) or not check_password(account["password_hash"], password):
        raise ValidationFailed({"current": WRONG_PASSWORD})
    return account


def authenticate(collection: str, username: Any, password: Any) -> Row | None:
    """The account with these credentials, or None; a refusal takes the same time whatever is wrong.

    Open the session with the returned "credential", so that it ends when this password is replaced.
    """
    if not isinstance(username, str) or not isinstance(password, str) or len(password) > MAX_PASSWORD:
        return None
    nobodys = _nobodys_hash()  # before anything else, as its first call takes long
    account = get_collection(collection).find_one({"username": normalized(username)})
    if account is None:
        check_password(nobodys, password)
        return None
    if not check_password(account["password_hash"], password):
        return None
    if needs_rehash(account["password_hash"]):
        # With the old hash in the filter, a concurrent password change isn't undone.
        hashed = hash_password(password)
        query = {"_id": account["_id"], "password_hash": account["password_hash"]}
        if not get_collection(collection).update_one(query, {"$set": {"password_hash": hashed}}).matched_count:
            return authenticate(collection, username, password)
        account["password_hash"] = hashed
    return public_account(account) | {"credential": credential_of(account["password_hash"])}


@cache
def _nobodys_hash() -> str:
    return hash_password(secrets.token_hex())
