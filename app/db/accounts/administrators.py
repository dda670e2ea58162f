"""Administrators: accounts of the admin app, in a collection that the user app's database user can't access.

Their names have nothing to do with users' names: one person may have an account of each kind.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pymongo.client_session import ClientSession

from app.db.accounts import credentials, sessions
from app.db.accounts.passwords import check_password, hash_password
from app.db.core import (
    ADMIN,
    SUPERADMIN,
    Actor,
    Administrator,
    Duplicate,
    Row,
    ValidationFailed,
    audit,
    driver_errors,
    get_collection,
    in_transaction,
    now,
    public_account,
)

COLLECTION = "administrators"
LOCKS = "locks"  # {_id: what transactions decide one at a time}


@driver_errors()
def create(
    username: str, password: str, admin_status: int = ADMIN, *, actor: Actor | None = None, expired: bool = True
) -> Row:
    """Create an administrator, with `actor` it is logged. An `expired` password must be changed at first use.

    Raises Duplicate when the name is taken, ValidationFailed.
    """
    name = credentials.normalized(username)
    if errors := credentials.problems(name, password or "") | _role_problems(admin_status):
        raise ValidationFailed(errors)
    expiry = {"password_expired_at": now()} if expired else {}
    return credentials.insert(COLLECTION, name, password, actor, admin_status=admin_status, **expiry)


@driver_errors()
def update(admin_id: str, changes: Mapping[str, Any], *, actor: Actor | None = None, version: str | None = None) -> Row:
    """Change `username`, `admin_status` (1 or 2) or `password` of an administrator and return it.

    Missing and empty values stay unchanged. A new password ends the sessions and must be changed at first use, unless
    it is the actor's own. With `actor` it is logged.
    Raises NotFound, BadQuery, ValidationFailed (also if no superadmin would be left), Duplicate when the name is taken,
    and Conflict when the account is no longer the given `version`.
    """
    wanted = {field: value for field, value in changes.items() if value not in (None, "")}
    if unknown := [str(field) for field in wanted if field not in ("username", "admin_status", "password")]:
        raise ValidationFailed(dict.fromkeys(unknown, "can't be changed"))
    if errors := _role_problems(wanted.get("admin_status", ADMIN)):
        raise ValidationFailed(errors)
    password = wanted.pop("password", None)
    own = actor is not None and actor.user_id == admin_id
    return credentials.update(
        COLLECTION,
        admin_id,
        wanted,
        password,
        _leave_a_superadmin,
        actor=actor,
        version=version,
        with_password={} if own else {"password_expired_at": now()},
    )


@driver_errors()
def change_password(actor: Actor, current: str, new: str) -> Row:
    """Change the own password; returns the account as `authenticate` does. Raises as `credentials.change_password`."""
    admin = credentials.change_password(COLLECTION, actor.user_id, current, new, ["password_expired_at"])
    audit.record(actor, "edit", COLLECTION, actor.user_id, None, None, password="changed")  # noqa: S106 - a word
    return admin


@driver_errors()
def is_password(admin_id: str, password: str) -> bool:
    """Whether this is the administrator's password."""
    try:
        return bool(credentials.confirmed(COLLECTION, admin_id, password))
    except ValidationFailed:
        return False


@driver_errors()
def delete(admin_id: str, *, actor: Actor | None = None, version: str | None = None) -> bool:
    """Delete an administrator and end the sessions; returns whether it existed. With `actor` it is logged.

    Raises ValidationFailed for the last superadmin, Conflict when it is no longer the given `version`, and BadQuery.
    """
    return credentials.delete(COLLECTION, admin_id, _leave_a_superadmin, actor=actor, cascade=False, version=version)


def _role_problems(admin_status: Any) -> dict[str, str]:
    if type(admin_status) is int and admin_status in (ADMIN, SUPERADMIN):
        return {}
    return {"admin_status": f"must be {ADMIN} (admin) or {SUPERADMIN} (superadmin)"}


def _leave_a_superadmin(current: Row, changed: Row | None, session: ClientSession) -> None:
    """Raises ValidationFailed if the change leaves no superadmin.

    Two superadmins who demote each other concurrently would each still see the other, so both transactions first write
    to the same document, which makes one wait for the other.
    """
    if current["admin_status"] != SUPERADMIN or (changed and changed["admin_status"] == SUPERADMIN):
        return
    get_collection(LOCKS).update_one({"_id": "superadmins"}, {"$inc": {"taken": 1}}, upsert=True, session=session)
    others = {"admin_status": SUPERADMIN, "_id": {"$ne": current["_id"]}}
    if get_collection(COLLECTION).find_one(others, session=session) is None:
        raise ValidationFailed({"admin_status": "This is the last superadmin; create another one first."})


@driver_errors()
def authenticate(username: str, password: str) -> Row | None:
    """The administrator with these credentials, or None, as `credentials.authenticate`."""
    return credentials.authenticate(COLLECTION, username, password)


@driver_errors()
def exists(username: str) -> bool:
    """Whether an administrator with this name exists."""
    return Administrator.objects(username=credentials.normalized(username)).only("id").first() is not None


@driver_errors()
def ensure(
    username: str, password: str | None = None, *, superadmin: bool = False, expired: bool = True
) -> tuple[Row, Literal["created", "changed", "unchanged"]]:
    """Ensure that an administrator with this name exists; returns it and what was done.

    An existing one gets the password, if given, and is promoted if necessary, never demoted. A new password ends the
    sessions and, if `expired`, must be changed at first use. Raises ValidationFailed, also for a new account without a
    password.
    """
    wanted = SUPERADMIN if superadmin else ADMIN
    name = credentials.normalized(username)
    admin = get_collection(COLLECTION).find_one({"username": name})
    if admin is None:
        if password is None:
            raise ValidationFailed({"password": f"There is no administrator {name}; a new one needs a password."})
        try:
            return create(name, password, wanted, expired=expired), "created"
        except Duplicate:
            return ensure(username, password, superadmin=superadmin, expired=expired)
    changes: Row = {}
    if admin["admin_status"] < wanted:
        changes["admin_status"] = wanted
    if password is not None and not check_password(admin["password_hash"], password):
        credentials.checked(name, password)
        changes["password_hash"] = hash_password(password)
        changes |= {"password_expired_at": now()} if expired else {}
    if not changes:
        return public_account(admin), "unchanged"
    get_collection(COLLECTION).update_one({"_id": admin["_id"]}, {"$set": changes})
    if "password_hash" in changes:
        sessions.close_others(admin["_id"], "admin")
    return public_account({**admin, **changes}), "changed"


# Releases before this one kept administrators among the users. The deployment copies them before it switches the apps
# over, and removes the originals afterwards, so that both releases know them in between. The new validator of `users`
# comes first: from then on the old release can't change an administrator, and nobody can make one there.


@driver_errors()
def copy_from_users() -> int:
    """Copy them, with their ids, so that their sessions go on; returns how many.

    Only while there are no administrators: later nobody may become one by a document in `users`.
    """

    def work(session: ClientSession) -> int:
        if get_collection(COLLECTION).find_one({}, {"_id": 1}, session=session) is not None:
            return 0
        found = list(get_collection("users").find({"admin_status": {"$in": [ADMIN, SUPERADMIN]}}, session=session))
        if found:
            get_collection(COLLECTION).insert_many(found, session=session)
        return len(found)

    return in_transaction(work)


@driver_errors()
def remove_from_users() -> int:
    """Remove the originals of copied administrators from `users`; returns how many."""
    copied = [admin["_id"] for admin in get_collection(COLLECTION).find({}, {"_id": 1})]
    originals = {"_id": {"$in": copied}, "admin_status": {"$in": [ADMIN, SUPERADMIN]}}
    return get_collection("users").delete_many(originals).deleted_count
