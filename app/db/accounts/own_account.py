"""What people do with their own account: change its password, take their data along, delete it.

Each asks for nothing but the user app's rights; `users` has what administrators do with the accounts of others.
"""

from collections.abc import Iterator
from itertools import islice

from pymongo.client_session import ClientSession

from app.db.accounts import sessions
from app.db.accounts.passwords import check_password, credential_of, hash_password, password_problem
from app.db.core import NotFound, Row, ValidationFailed, driver_errors, get_collection, in_transaction, public_user
from app.db.likes import likes
from app.db.records import documents

WRONG_PASSWORD = "This isn't your password."  # noqa: S105 - a sentence


@driver_errors()
def change_password(user_id: str, current: str, new: str) -> Row:
    """Give an account a new password, which ends all of its sessions; returns it as `users.authenticate` does.

    Raises ValidationFailed with a sentence for "current", or for "password", the new one, and NotFound.
    """
    user = _checked(user_id, current)
    if problem := password_problem(new, user["username"]):
        raise ValidationFailed({"password": problem})
    if new == current:
        raise ValidationFailed({"password": "This is the password that you have. Choose another one."})
    # The old hash in the filter: of two changes at once the second finds that its `current` is no more.
    hashed = hash_password(new)
    changed = get_collection("users").update_one(
        {"_id": user["_id"], "password_hash": user["password_hash"]}, {"$set": {"password_hash": hashed}}
    )
    if not changed.matched_count:
        raise ValidationFailed({"current": WRONG_PASSWORD})
    sessions.close_others(user["_id"], "user")  # they are over already: this only clears them away
    return public_user(user) | {"credential": credential_of(hashed)}


@driver_errors()
def delete(user_id: str, password: str) -> None:
    """Delete an account with its favourites and sessions: all that the library has of a person.

    Raises ValidationFailed with a sentence for "current" when that isn't the password, and NotFound.
    """
    user = _checked(user_id, password)
    # Before the transaction, which takes along what is liked meanwhile: it has a minute, whatever there is.
    likes.erase(user["_id"])

    def work(session: ClientSession) -> None:
        documents.delete(session, "users", user, cascade=True)

    in_transaction(work)
    sessions.close_others(user["_id"], "user")
    # What was liked in another tab meanwhile: no transaction sees what comes after it. What a request under way likes
    # even now belongs to nobody, and goes with the next `film-library recommend` (app.db.likes.stray_likes).
    likes.erase(user["_id"])


@driver_errors()
def export(user_id: str) -> Row:
    """All that the library has of a person, as plain values: {account, likes, sessions}, times in ISO 8601, UTC.

    Of a film that is gone there is the id. Neither the password's hash nor a session's token is in it: they are keys.
    Raises NotFound.
    """
    user = public_user(_found(user_id))
    open_sessions = get_collection("sessions").find({"user_id": user["_id"]}).sort("created_at")
    return {
        "account": {"name": user["username"], "created_at": user["created_at"].isoformat()},
        "likes": list(_likes(user["_id"])),
        "sessions": [
            {name: session[name].isoformat() for name in ("created_at", "seen_at", "expires_at")}
            for session in open_sessions
        ],
    }


def _likes(user_id: str) -> Iterator[Row]:
    """All that the user likes, the first like first, with the films' titles and years."""
    stored = iter(get_collection(likes.NAME).find({"user_id": user_id}).sort([("created_at", 1), ("_id", 1)]))
    while batch := list(islice(stored, likes.BATCH)):  # the ids of all of them may be more than a query holds
        query = {"_id": {"$in": [like["movie_id"] for like in batch]}}
        films = {film["_id"]: film for film in get_collection("movies").find(query, {"title": 1, "release_year": 1})}
        for like in batch:
            film = films.get(like["movie_id"], {})
            yield {
                "film": like["movie_id"],
                "title": film.get("title"),
                "release_year": film.get("release_year"),
                "liked_at": like["created_at"].isoformat(),
            }


def _found(user_id: str) -> Row:
    """The account with its password's hash. Raises NotFound."""
    user = get_collection("users").find_one({"_id": str(user_id)})
    if user is None:
        raise NotFound(f"there is no account {user_id!r:.80}")
    return user


def _checked(user_id: str, password: str) -> Row:
    """As `_found`, for somebody who knows the password. Raises ValidationFailed, NotFound."""
    user = _found(user_id)
    if not isinstance(password, str) or not check_password(user["password_hash"], password):
        raise ValidationFailed({"current": WRONG_PASSWORD})
    return user
