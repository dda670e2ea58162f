"""Posters of films.

    {movie_id, version: of the content, small, large: WebP of those names' sizes, uploaded_at, by: user name,
     retired_at: when the film was deleted in bulk, which can be undone}

`version` is also on the film (`movies.poster`), so a film's row is enough for its poster's URL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pymongo import IndexModel
from pymongo.client_session import ClientSession

from app.db.core import Actor, NotFound, Row, audit, converted_id, driver_errors, get_collection, in_transaction, now

NAME = "posters"
INDEXES: dict[str, list[IndexModel]] = {
    NAME: [
        IndexModel("movie_id", unique=True),
        # As long as the deleted film itself; documents without the field don't expire.
        IndexModel("retired_at", expireAfterSeconds=int(audit.KEEP_CHANGES.total_seconds())),
    ]
}
SIZES = ("small", "large")


@dataclass(frozen=True)
class Picture:
    """A poster as stored: two WebP files of the same picture."""

    small: bytes
    large: bytes

    @property
    def version(self) -> str:
        """16 hexadecimal digits of a content hash: a URL with it can be cached for ever."""
        return hashlib.blake2b(self.small + self.large, digest_size=8).hexdigest()


@driver_errors()
def store(movie_id: str, picture: Picture, *, actor: Actor) -> str:
    """Set the film's poster and log it; returns its version. An unchanged poster isn't logged.

    Raises NotFound for a missing film, BadQuery for an invalid id.
    """
    key, version = converted_id("movies", movie_id), picture.version

    def work(session: ClientSession) -> None:
        before = _put(key, version, session)
        if before == version:
            return
        content = {"version": version, "small": picture.small, "large": picture.large}
        get_collection(NAME).update_one(
            {"movie_id": key},
            {"$set": {**content, "uploaded_at": now(), "by": actor.username}, "$unset": {"retired_at": ""}},
            upsert=True,
            session=session,
        )
        change = "replaced" if before else "added"
        audit.record(actor, "edit", "movies", key, None, None, session=session, poster=change)

    in_transaction(work)
    return version


@driver_errors()
def remove(movie_id: str, *, actor: Actor) -> bool:
    """Remove a film's poster and log it; returns whether it had one. Raises NotFound, BadQuery as `store`."""
    key = converted_id("movies", movie_id)

    def work(session: ClientSession) -> bool:
        if _put(key, None, session) is None:
            return False
        get_collection(NAME).delete_one({"movie_id": key}, session=session)
        audit.record(actor, "edit", "movies", key, None, None, session=session, poster="removed")
        return True

    return in_transaction(work)


@driver_errors()
def read(movie_id: str, size: str) -> tuple[str, bytes]:
    """Version and content of a film's poster in one of SIZES. Raises NotFound, or BadQuery for an invalid id."""
    if size not in SIZES:
        raise NotFound(f"posters have no size {size!r:.80}")
    key = {"movie_id": converted_id("movies", movie_id), "retired_at": None}
    row = get_collection(NAME).find_one(key, {"version": 1, size: 1})
    if row is None:
        raise NotFound(f"film {movie_id} has no poster")
    return row["version"], row[size]


@driver_errors()
def put_back(poster: Row) -> bool:
    """Store a poster as it was once, unless its film has one; returns whether it did. Raises NotFound."""
    key = poster["movie_id"]
    content = {name: value for name, value in poster.items() if name not in ("_id", "retired_at")}

    def work(session: ClientSession) -> bool:
        film = get_collection("movies").find_one({"_id": key}, {"poster": 1}, session=session)
        if film is not None and film.get("poster"):
            return False
        _put(key, poster["version"], session)
        get_collection(NAME).replace_one({"movie_id": key}, content, upsert=True, session=session)
        return True

    return in_transaction(work)


def delete_all(films: Sequence[Row], session: ClientSession) -> None:
    """Delete the posters of films that this transaction deletes."""
    if versions := _versions(films):
        get_collection(NAME).delete_many({"movie_id": {"$in": list(versions)}}, session=session)


def retire_all(films: Sequence[Row], session: ClientSession) -> None:
    """As `delete_all`, but recoverable for films that may be restored; retired posters aren't shown."""
    if versions := _versions(films):
        retired = {"$set": {"retired_at": now()}}
        get_collection(NAME).update_many({"movie_id": {"$in": list(versions)}}, retired, session=session)


def bring_back(films: Sequence[Row], session: ClientSession) -> list[Row]:
    """The films to insert again, with their posters; without `poster` if the picture is no longer stored."""
    versions, kept = _versions(films), set()
    if versions:
        posters, those = get_collection(NAME), {"movie_id": {"$in": list(versions)}}
        found = posters.find(those, {"movie_id": 1, "version": 1}, session=session)
        kept = {row["movie_id"] for row in found if row["version"] == versions[row["movie_id"]]}
        posters.update_many({"movie_id": {"$in": list(kept)}}, {"$unset": {"retired_at": ""}}, session=session)
    return [film if film["_id"] in kept else _without_poster(film) for film in films]


def _versions(films: Sequence[Row]) -> dict[str, str]:
    return {film["_id"]: film["poster"] for film in films if "poster" in film}


def _without_poster(film: Row) -> Row:
    return {name: value for name, value in film.items() if name != "poster"}


def _put(movie_id: str, version: str | None, session: ClientSession) -> str | None:
    """Set a film's poster version (None removes it); returns the previous one. Raises NotFound."""
    movies = get_collection("movies")
    film = movies.find_one({"_id": movie_id}, {"title_hash": 1, "poster": 1}, session=session)
    if film is None:
        raise NotFound(f"there is no film {movie_id}")
    before: str | None = film.get("poster")
    if version != before:
        # This write conflicts with a concurrent deletion or change of title. title_hash targets the shard.
        change = {"$set": {"poster": version}} if version else {"$unset": {"poster": ""}}
        movies.update_one({"_id": movie_id, "title_hash": film["title_hash"]}, change, session=session)
    return before
