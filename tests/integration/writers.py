"""Writers at work on a library, and a model of what they have written: what a backup must hold."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from backup_library import LIBRARY, connect
from bson import Timestamp
from pymongo import MongoClient

from app.db import operations
from app.db.accounts import users
from app.db.core import connection
from app.db.likes import likes
from ops.local_cluster import LocalCluster
from ops.processes import wait_for

Client = MongoClient[dict[str, Any]]

PREFIXES = ("ann", "bob", "cyd")
_numbers = itertools.count(1)  # what one run leaves is nothing that the next meets


class Turn:
    """Steps of a thread, between which another can hold it up.

    A lock alone isn't fair: the thread would take it again.
    """

    def __init__(self) -> None:
        self._go, self._busy = threading.Event(), threading.Lock()
        self._go.set()

    @contextmanager
    def step(self) -> Iterator[None]:
        self._go.wait()
        with self._busy:
            yield

    @contextmanager
    def held_up(self) -> Iterator[None]:
        self._go.clear()
        with self._busy:
            yield
        self._go.set()


@dataclass
class Writer:
    """Writes at random, and keeps what must be in the database after each acknowledged write, with the time of that.

    `films` is {id: title}, the others are sets of pairs and of ids.
    """

    prefix: str
    client: Client
    stop: threading.Event
    seed: str
    films: dict[str, str] = field(default_factory=dict)
    credits: set[tuple[str, str]] = field(default_factory=set)
    likes: set[tuple[str, str]] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    history: list[tuple[Timestamp, Any]] = field(default_factory=list)
    made: int = 0
    failed: BaseException | None = None
    turn: Turn = field(default_factory=Turn)

    def run(self) -> None:
        try:
            self._remember()
            choices = random.Random(self.seed)
            while not self.stop.is_set():
                with self.turn.step():
                    self._write(choices)
                    self._remember()
        except BaseException as error:
            self.failed = error

    def _remember(self) -> None:
        """After the last write on every shard, and before the next."""
        with self.client.start_session() as session:
            self.client[LIBRARY].movies.find_one({"_id": "there is none"}, session=session)
            assert session.cluster_time is not None
            self.history.append((session.cluster_time["clusterTime"], self._state()))

    def _state(self) -> Any:
        return dict(self.films), set(self.credits), set(self.likes), set(self.users)

    def _write(self, choices: random.Random) -> None:
        kinds = [self._add, self._add, self._rename, self._rename, self._remove, self._credit, self._like, self._like]
        kinds += [self._unlike, self._sign_up, self._leave]
        choices.choice(kinds)(choices)

    def _new(self) -> str:
        self.made += 1
        return f"{self.prefix}{self.made}"

    def _add(self, choices: random.Random) -> None:
        film, title = self._new(), f"Film {choices.random()}"
        operations.insert_one("movies", {"_id": film, "title": title, "type": "MOVIE"})
        self.films[film] = title

    def _rename(self, choices: random.Random) -> None:
        """May move the film to another shard."""
        if self.films:
            film, title = choices.choice(sorted(self.films)), f"Film {choices.random()}"
            operations.update_document("movies", film, {"title": title})
            self.films[film] = title

    def _remove(self, choices: random.Random) -> None:
        if self.films:
            film = choices.choice(sorted(self.films))
            operations.delete_document("movies", film, cascade=True)
            del self.films[film]
            self.credits = {pair for pair in self.credits if pair[0] != film}
            self.likes = {pair for pair in self.likes if pair[1] != film}

    def _credit(self, choices: random.Random) -> None:
        if self.films:
            film, name = choices.choice(sorted(self.films)), self._new()
            operations.insert_credit({"movie_id": film, "name": name, "role": "ACTOR"})
            self.credits.add((film, name))

    def _like(self, choices: random.Random) -> None:
        if self.films and self.users:
            pair = choices.choice(sorted(self.users)), choices.choice(sorted(self.films))
            likes.like(*pair)
            self.likes.add(pair)

    def _unlike(self, choices: random.Random) -> None:
        if self.likes:
            pair = choices.choice(sorted(self.likes))
            likes.unlike(*pair)
            self.likes.discard(pair)

    def _sign_up(self, choices: random.Random) -> None:
        self.users.add(users.sign_up(self._new(), "correct horse")["_id"])

    def _leave(self, choices: random.Random) -> None:
        if len(self.users) > 1:
            user = choices.choice(sorted(self.users))
            users.delete_user(user, cascade=True)
            self.users.discard(user)
            self.likes = {pair for pair in self.likes if pair[0] != user}

    def possible(self, moment: Timestamp) -> list[Any]:
        """The states at a moment: that after the last write before it, or with the next one, which was under way."""
        last = max(number for number, (time, _) in enumerate(self.history) if time <= moment)
        assert last + 1 < len(self.history), "the moment is after all writes"
        return [state for _, state in self.history[last : last + 2]]

    def found(self, client: Client, database: str) -> Any:
        """This writer's part of a database, as `_state` gives it."""
        own = {"$regex": f"^{self.prefix}"}
        db = client[database]
        names = {user["_id"]: user["username"] for user in db.users.find()}
        return (
            {film["_id"]: film["title"] for film in db.movies.find({"_id": own})},
            {(credit["movie_id"], credit["name"]) for credit in db.credits.find({"movie_id": own})},
            {(like["user_id"], like["movie_id"]) for like in db.user_interactions.find({"movie_id": own})},
            {user for user, name in names.items() if name.startswith(self.prefix)},
        )


@contextmanager
def at_work(library: LocalCluster, seed: int = 0) -> Iterator[list[Writer]]:
    """Writers at work, as the admin app, until the block ends; what they have written is removed then."""
    connect(library, "film-library-admin")
    stop = threading.Event()
    with library.client() as client:
        number = next(_numbers)
        working = [Writer(f"{name}{number}x", client, stop, f"{name} {seed}") for name in PREFIXES]
        threads = [threading.Thread(target=writer.run) for writer in working]
        for thread in threads:
            thread.start()
        try:
            yield working
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            for writer in working:
                client[LIBRARY].movies.delete_many({"_id": {"$regex": f"^{writer.prefix}"}})
            connection.disconnect()


def go_on(writers: list[Writer], count: int) -> None:
    """Wait until each has made further acknowledged writes."""
    before = [len(writer.history) for writer in writers]

    def done() -> bool:
        for writer in writers:
            if writer.failed is not None:
                raise writer.failed
        return all(len(writer.history) > past + count for writer, past in zip(writers, before, strict=True))

    wait_for("further writes", done)
