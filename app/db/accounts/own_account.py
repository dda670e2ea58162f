"""What users do with their own account: change the password, export their data, delete it.

These need only the user app's rights; `users` has what administrators do with other accounts.
"""

from collections.abc import Iterator
from itertools import islice

from pymongo.client_session import ClientSession

from app.db.accounts import credentials, sessions
from app.db.core import NotFound, Row, driver_errors, get_collection, in_transaction, public_account
from app.db.likes import likes
from app.db.records import documents


@driver_errors()
def change_password(user_id: str, current: str, new: str) -> Row:
    """Change an account's password, which ends all its sessions; returns it as `users.authenticate` does.

    Raises ValidationFailed with a message for "current" or "password" (the new one), and NotFound.
    """
    return credentials.change_password("users", user_id, current, new)


@driver_errors()
def delete(user_id: str, password: str) -> None:
    """Delete an account with its likes and sessions: everything stored about a person.

    Raises ValidationFailed with a message for "current" when the password is wrong, and NotFound.
    """
    user = credentials.confirmed("users", user_id, password)
    # Before the transaction, which has a minute and deletes only the likes made since.
    likes.erase(user["_id"])

    def work(session: ClientSession) -> None:
        documents.delete(session, "users", user, cascade=True)

    in_transaction(work)
    sessions.close_others(user["_id"], "user")
    # Likes made in another tab after the transaction began. A request still under way may leave a stray like, which
    # the next `film-library recommend` removes (app.db.likes.stray_likes).
    likes.erase(user["_id"])


@driver_errors()
def export(user_id: str) -> Row:
    """Everything stored about a person, as plain values: {account, likes, sessions}, times in ISO 8601, UTC.

    Deleted films have only their id. Password hash and session tokens are left out: they are secrets.
    Raises NotFound.
    """
    user = public_account(_found(user_id))
    open_sessions = get_collection("sessions").find({"user_id": user["_id"]}).sort("created_at")
    return {
        "account": {"name": user["username"], "created_at": user["created_at"].isoformat()},
        "likes": list(_likes(user["_id"])),
        "sessions": [
            {name: session[name].isoformat() for name in ("created_at", "seen_at", "expires_at")}
            | {"browser": session.get("agent", "")}
            for session in open_sessions
        ],
    }


def _likes(user_id: str) -> Iterator[Row]:
    """The user's likes, oldest first, with the films' titles and years."""
    stored = iter(get_collection(likes.NAME).find({"user_id": user_id}).sort([("created_at", 1), ("_id", 1)]))
    while batch := list(islice(stored, likes.BATCH)):  # all ids at once may not fit into a query
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
    """The account with its password hash. Raises NotFound."""
    user = get_collection("users").find_one({"_id": str(user_id)})
    if user is None:
        raise NotFound(f"there is no account {user_id!r:.80}")
    return user
