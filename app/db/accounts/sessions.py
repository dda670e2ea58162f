"""Log-in sessions, stored in the database so that logging out also invalidates copies of the cookie.

A session is tied to the password it was opened with: a new password ends it, whatever else fails.
Each kind has its own collection: the user app's database user can't access administrators' sessions.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.db.accounts.passwords import credential_of
from app.db.core import BadQuery, NotFound, Row, driver_errors, get_collection, now, public_account


@dataclass(frozen=True)
class _Kind:
    accounts: str  # the collection of the accounts, and of their sessions
    collection: str
    idle: timedelta
    absolute: timedelta


# NIST SP 800-63B: AAL1 (4.1.3) asks for a new log-in after 30 days; AAL2 (4.2.3) after 12 hours or 30 idle minutes.
KINDS = {
    "user": _Kind("users", "sessions", idle=timedelta(days=7), absolute=timedelta(days=30)),
    "admin": _Kind("administrators", "admin_sessions", idle=timedelta(minutes=30), absolute=timedelta(hours=12)),
}
KIND_OF = {kind.accounts: name for name, kind in KINDS.items()}
# `seen_at` is updated at most this often: a write per request would cost more than the page.
TOUCH_EVERY = timedelta(minutes=1)
MAX_AGENT = 300  # characters
MAX_LISTED = 100


def _checked(kind: str) -> _Kind:
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadQuery(f"kind must be one of {', '.join(KINDS)}")
    return KINDS[kind]


def _key(token: str) -> str:
    """What is stored: nobody can log in with the database's content. Tokens are random, so a plain hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _expiry(created_at: datetime, seen_at: datetime, kind: _Kind) -> datetime:
    return min(seen_at + kind.idle, created_at + kind.absolute)


@driver_errors()
def open_session(
    user_id: str, kind: str, credential: str | None = None, *, agent: str = "", factor: bool = False
) -> str:
    """Start a session of `kind` "user" or "admin" and return its token (URL-safe, 256 random bits).

    `agent` names the browser; `factor` tells that the second factor was given. `credential` comes from `authenticate`;
    default: the account's current one.
    """
    checked = _checked(kind)
    if not isinstance(user_id, str):
        raise BadQuery("a user's id is a string")
    if credential is None:
        account = get_collection(checked.accounts).find_one({"_id": user_id}, {"password_hash": 1})
        credential = credential_of(account["password_hash"]) if account else ""
    token, moment = secrets.token_urlsafe(32), now()
    get_collection(checked.collection).insert_one(
        {
            "_id": _key(token),
            "user_id": user_id,
            "credential": credential,
            "created_at": moment,
            "seen_at": moment,
            "expires_at": _expiry(moment, moment, checked),
            "confirmed_at": moment,  # when the password was given last
            "agent": agent[:MAX_AGENT],
            "factor": factor,
        }
    )
    return token


@driver_errors()
def session_user(token: str, kind: str) -> Row | None:
    """The account of the open session with this token; None if unknown, expired, closed, or after a change of password
    or the account's deletion.

    An administrator comes with `password_expired` (it must be changed), `second_factor` (there is one) and `session`:
    {confirmed_at, factor, pending_secret} as far as there are such.
    """
    checked = _checked(kind)
    if not isinstance(token, str):
        return None
    collection = get_collection(checked.collection)
    moment = now()
    # The TTL index removes expired sessions only about once a minute.
    session = collection.find_one({"_id": _key(token), "expires_at": {"$gt": moment}})
    if session is None:
        return None
    account = get_collection(checked.accounts).find_one({"_id": session["user_id"]})
    if account is None or session.get("credential") != credential_of(account["password_hash"]):
        return None
    if moment - session["seen_at"] >= TOUCH_EVERY:
        expires_at = _expiry(session["created_at"], moment, checked)
        collection.update_one({"_id": session["_id"]}, {"$set": {"seen_at": moment, "expires_at": expires_at}})
    if kind == "user":
        return public_account(account)
    return public_account(account) | {
        "password_expired": "password_expired_at" in account,
        "second_factor": "totp_secret" in account or bool(account.get("passkeys")),
        "session": {name: session[name] for name in ("confirmed_at", "factor", "pending_secret") if name in session},
    }


@driver_errors()
def note(token: str, kind: str, **facts: Any) -> None:
    """Store facts about the session with this token: `confirmed_at`, `factor`, `pending_secret` or `challenge`."""
    get_collection(_checked(kind).collection).update_one({"_id": _key(token)}, {"$set": facts})


@driver_errors()
def take(token: str, kind: str, fact: str) -> Any:
    """A fact about the session, which is gone then: of two requests that take it, one gets it and the other None."""
    collection = get_collection(_checked(kind).collection)
    session: Row | None = collection.find_one_and_update({"_id": _key(token)}, {"$unset": {fact: ""}})
    return (session or {}).get(fact)


@driver_errors()
def renew(token: str, kind: str, **facts: Any) -> str:
    """Continue a session under a new token, which is returned, and store facts as `note` does. Its times stay.

    Raises NotFound when no session has this token (any more).
    """
    collection = get_collection(_checked(kind).collection)
    session = collection.find_one_and_delete({"_id": _key(token)})
    if session is None:
        raise NotFound("the session has ended or has another token")
    new = secrets.token_urlsafe(32)
    collection.insert_one({**session, **facts, "_id": _key(new)})
    return new


@driver_errors()
def list_open(user_id: str, kind: str, token: str) -> list[Row]:
    """A user's open sessions, last used first: {id, created_at, seen_at, agent, current}. `current` is the token's."""
    query = {"user_id": str(user_id), "expires_at": {"$gt": now()}}
    return [
        {
            "id": session["_id"],
            "created_at": session["created_at"],
            "seen_at": session["seen_at"],
            "agent": session.get("agent", ""),
            "current": session["_id"] == _key(token),
        }
        for session in get_collection(_checked(kind).collection).find(query).sort("seen_at", -1).limit(MAX_LISTED)
    ]


@driver_errors()
def close_listed(user_id: str, kind: str, session_id: str) -> bool:
    """End one of the user's own sessions by its `id` from `list_open`; returns whether it was open."""
    query = {"_id": str(session_id), "user_id": str(user_id)}
    return get_collection(_checked(kind).collection).delete_one(query).deleted_count == 1


@driver_errors()
def close_session(token: str, kind: str) -> None:
    """End the session, if it exists."""
    checked = _checked(kind)
    if isinstance(token, str):
        get_collection(checked.collection).delete_one({"_id": _key(token)})


@driver_errors()
def close_others(user_id: str, kind: str, token: str | None = None) -> int:
    """End a user's sessions of this kind except the token's; returns how many."""
    query: Row = {"user_id": str(user_id)}
    if token is not None:
        query["_id"] = {"$ne": _key(token)}
    return get_collection(_checked(kind).collection).delete_many(query).deleted_count
