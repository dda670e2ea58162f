"""Films listed and liked on two shards, and many concurrent likes while a shard's primary dies.

Then there is one document for a user and a film, in its acknowledged state.
Each user has two clients, as in two windows. A film of one window has the state that this window's last acknowledged
press gave it. On a film of both windows, presses race until each window has pressed for one and the same end.
"""

import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from pymongo.database import Database

from app.db import operations
from app.db.core import DatabaseUnavailable, Page, Row, connection
from app.db.films import catalogue, person_directory
from app.db.likes import likes
from app.db.schema import create_indexes, install_validators
from app.db.search import preferences
from ops.local_cluster import LocalCluster
from ops.processes import wait_for

USERS = 25
WINDOWS = ("left", "right")
OWN_FILMS = 3  # of each window; films are the same for all users
PRESSES = 250  # acknowledged by all together, before the kill, and again when there is a new primary
SHARD = "shard1"


@dataclass
class Window:
    """One client: likes and unlikes until told to stop, then sets the final state of both windows."""

    user: str
    name: str
    stop: threading.Event
    acknowledged: int = 0
    state: dict[str, bool] = field(default_factory=dict)  # film -> liked, by the last acknowledged press

    def run(self) -> None:
        chance = random.Random(f"{self.user} {self.name}")
        films = [f"{self.name}-{number}" for number in range(OWN_FILMS)] + ["both-liked", "both-not"]
        while not self.stop.is_set():
            self.press(chance.choice(films), liked=chance.random() < 0.6)
        self.press("both-liked", liked=True)
        self.press("both-not", liked=False)

    def press(self, film: str, *, liked: bool) -> None:
        """Again until it is acknowledged, as a page does that says it failed."""
        change = likes.like if liked else likes.unlike
        while True:
            try:
                change(self.user, film)
            except DatabaseUnavailable:
                continue
            self.state[film] = liked
            self.acknowledged += 1
            return


@pytest.fixture
def router(cluster: LocalCluster) -> Iterator[Database[Row]]:
    """The sharded database without likes; app.db connected as the user app is."""
    connection.connect(connection.DatabaseConfig(cluster.uri("film-library-deploy"), database="movie_library"))
    install_validators()
    create_indexes()
    connection.connect(connection.DatabaseConfig(cluster.uri("film-library-user"), database="movie_library"))
    with cluster.client() as client:
        client.movie_library.user_interactions.delete_many({})
        yield client.movie_library
        client.movie_library.user_interactions.delete_many({})
    connection.disconnect()


@pytest.fixture
def films(router: Database[Row], cluster: LocalCluster) -> Iterator[list[str]]:
    """The ids of twelve films on both shards, the best first, all with the same actor and director."""
    connection.connect(connection.DatabaseConfig(cluster.uri("film-library-admin"), database="movie_library"))
    emptied = ("movies", "movie_ids", "credits", "people", "catalogue_values")
    for name in emptied:
        router[name].delete_many({})
    ids = [f"f{number:02}" for number in range(12)]
    operations.insert_documents(
        "movies",
        (
            {
                "_id": film,
                "title": f"Title {film}",
                "type": "MOVIE",
                "genres": ["drama"],
                "release_year": 1990 + number % 2,
                "imdb_score": 9 - number / 2,
                "imdb_votes": 1000,
            }
            for number, film in enumerate(ids)
        ),
    )
    operations.insert_documents(
        "credits",
        ({"movie_id": film, "name": f"Ann {role}", "role": role} for film in ids for role in ("ACTOR", "DIRECTOR")),
    )
    connection.connect(connection.DatabaseConfig(cluster.uri("film-library-user"), database="movie_library"))
    yield ids
    for name in emptied:
        router[name].delete_many({})


def all_pages(read: Callable[..., Page], **narrow: Any) -> list[str]:
    """The ids on all pages, of five films each."""
    found, after = [], None
    while True:
        page = read(**narrow, after=after, limit=5)
        found += [film["_id"] for film in page.rows]
        if (after := page.next) is None:
            return found


def test_films_are_chosen_in_one_order_from_both_shards(films: list[str]) -> None:
    """With the rights of the user app."""
    assert all_pages(catalogue.page) == all_pages(catalogue.page, genre="drama", decade=1990) == films
    assert all_pages(lambda **narrow: preferences.find(actor="ann actor", director="ann", **narrow).page) == films
    assert catalogue.genres() == [("drama", 12)]
    (actor,) = person_directory.find("actor ann")
    assert [film["_id"] for film in person_directory.person(actor["_id"])["works"]["ACTOR"]] == films
    for film in films[::-1]:
        likes.like("user", film)
    for sort in likes.SORTS:
        found = all_pages(likes.page, user_id="user", sort=sort)
        assert sorted(found) == films
        assert found == {"title": films[::-1], "year": films[1::2][::-1] + films[::2][::-1]}.get(sort, films)


@pytest.fixture
def a_member_dies(cluster: LocalCluster) -> Iterator[None]:
    """Whatever was killed is there again afterwards, for the tests that follow."""
    yield
    for process in cluster.processes:
        if not process.alive():
            process.start()
            process.wait_until_listening()
    with cluster.shard_client(SHARD) as shard:
        wait_for("all members", lambda: _states(shard.admin.command("replSetGetStatus")) == {1: 1, 2: 2})


def _states(status: Row) -> Counter[int]:
    return Counter(member["state"] for member in status["members"])


def press_until_killed(cluster: LocalCluster, windows: list[Window]) -> None:
    """Everybody presses, the primary dies, there is another one, and everybody goes on for a while."""

    def more() -> None:
        enough = sum(window.acknowledged for window in windows) + PRESSES
        wait_for("acknowledged presses", lambda: sum(window.acknowledged for window in windows) > enough)

    with ThreadPoolExecutor(len(windows)) as pool:
        pressing = [pool.submit(window.run) for window in windows]
        try:
            more()
            cluster.primary(SHARD).stop(signal.SIGKILL)
            cluster.primary(SHARD)
            more()
        finally:
            windows[0].stop.set()
        for window in pressing:
            window.result()


@pytest.mark.usefixtures("a_member_dies")
def test_likes_are_as_last_acknowledged_after_a_primary_dies(cluster: LocalCluster, router: Database[Row]) -> None:
    stop = threading.Event()
    windows = [Window(f"user{number:02}", name, stop) for number in range(USERS) for name in WINDOWS]
    press_until_killed(cluster, windows)

    expected = {(window.user, film) for window in windows for film, liked in window.state.items() if liked}
    found = Counter((like["user_id"], like["movie_id"]) for like in router.user_interactions.find())
    assert not expected - found.keys(), "acknowledged likes are lost"
    assert not found.keys() - expected, "acknowledged ends of likes are lost"
    assert set(found.values()) == {1}
    kept = []
    for name in ("shard1", "shard2"):
        with cluster.shard_client(name) as shard:
            kept.append(shard.movie_library.user_interactions.count_documents({}))
    assert min(kept) > 0, "both shards have users"
    assert sum(kept) == len(expected)
    for user in {window.user for window in windows}:
        assert likes.liked(user) == {film for owner, film in expected if owner == user}
