"""Computes a new generation of neighbours from the likes and genres in the database."""

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.db.core import driver_errors, get_collection, iterate
from app.db.likes.neighbour_lists import FORMAT, MOST_PRIORS, Writer, digest
from app.recommender.neighbours import Flags, Numbers, method, neighbours

RENEW_EVERY = 100_000  # likes: seconds of reading
BATCH = 1_000  # films whose genres are read at a time
MOST_GENRES = 64  # the most frequent ones: each film takes a byte for each, so an import's odd genres must not add up

Report = Callable[[int], None]
"""Called with the number done."""


@dataclass(frozen=True)
class Learned:
    """What was read, and how many films got neighbours."""

    likes: int
    users: int
    films: int


@dataclass(frozen=True)
class _Likes:
    """Likes as pairs of user and film numbers, the films' ids and genres (films x genres) by number, and a digest of
    all this and of the method.
    """

    users: Numbers
    films: Numbers
    user_count: int
    film_ids: list[str]
    genres: Flags
    digest: str


def learn(writer: Writer, progress: Callable[[str, int], Report], *, force: bool = False) -> Learned | None:
    """Read all likes and publish new neighbours; None when likes, genres of liked films and method are unchanged.

    `progress(what, expected)` returns a function that is called with the progress of reading, then of computing.
    `force` computes in any case. Raises Busy when another process has taken over.
    """
    likes = _read(writer, progress("likes", _expected()))
    if likes.digest == digest() and not force:
        return None
    found = neighbours(likes.users, likes.films, genres=likes.genres)
    report, written = progress("neighbours", len(found.films)), 0
    facts = {"likes": len(likes.users), "users": likes.user_count, "digest": likes.digest}
    for written in writer.replace(likes.film_ids, found, **facts):
        report(written)
    return Learned(likes=len(likes.users), users=likes.user_count, films=written)


@driver_errors()
def _expected() -> int:
    return get_collection("user_interactions").estimated_document_count()


def _read(writer: Writer, report: Report) -> _Likes:
    users: dict[str, int] = {}
    films: dict[str, int] = {}
    user_numbers, film_numbers = array("i"), array("i")
    content = hashlib.blake2b(f"{FORMAT} {MOST_PRIORS} {MOST_GENRES} {method()}\n".encode(), digest_size=16)
    for count, like in enumerate(iterate("user_interactions", fields=["user_id", "movie_id"]), 1):
        user, film = like["user_id"], like["movie_id"]
        content.update(f"{user}\0{film}\n".encode())
        user_numbers.append(users.setdefault(user, len(users)))
        film_numbers.append(films.setdefault(film, len(films)))
        if count % RENEW_EVERY == 0:
            writer.renew()
            report(count)
    report(len(user_numbers))
    film_ids = list(films)
    genres = _genres(film_ids)
    for film in film_ids:
        content.update("\0".join([film, *genres[film]]).encode() + b"\n")
    return _Likes(
        users=np.asarray(user_numbers, np.int32),
        films=np.asarray(film_numbers, np.int32),
        user_count=len(users),
        film_ids=film_ids,
        genres=_flags([genres[film] for film in film_ids]),
        digest=content.hexdigest(),
    )


def _genres(film_ids: Sequence[str]) -> dict[str, list[str]]:
    """The genres of each of these films, in order; empty for films that don't exist."""
    found: dict[str, list[str]] = {film: [] for film in film_ids}
    for start in range(0, len(film_ids), BATCH):
        with driver_errors():
            query = {"_id": {"$in": film_ids[start : start + BATCH]}}
            for film in get_collection("movies").find(query, {"genres": 1}):
                found[film["_id"]] = sorted(set(film.get("genres") or ()))
    return found


def _flags(genres: Sequence[Sequence[str]]) -> Flags:
    films = Counter(name for own in genres for name in own)
    frequent = sorted(films, key=lambda name: (-films[name], name))[:MOST_GENRES]
    numbers = {name: number for number, name in enumerate(frequent)}
    flags = np.zeros((len(genres), len(numbers)), np.bool_)
    for film, own in enumerate(genres):
        flags[film, [numbers[name] for name in own if name in numbers]] = True
    return flags
