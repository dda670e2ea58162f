"""What only a sharded cluster can show: unique ids across shards, and films that change shards."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from app.db import operations
from app.db.core import Actor, Condition, Duplicate, ValidationFailed, connection, filters, listing
from app.db.films import Picture, claims, posters
from app.db.likes import stray_likes
from app.db.records import Counts, bulk
from app.db.schema import create_indexes, install_validators
from ops.local_cluster import LocalCluster

Raw = Database[dict[str, Any]]
COUNT = 300  # titles enough that both shards get many


@pytest.fixture
def sharded(cluster: LocalCluster) -> Iterator[dict[str, Raw]]:
    """app.db connected as the admin app is, and a client of each shard by itself."""
    connection.connect(connection.DatabaseConfig(cluster.uri("film-library-deploy"), database="movie_library"))
    install_validators()
    create_indexes()
    connection.connect(connection.DatabaseConfig(cluster.uri("film-library-admin"), database="movie_library"))
    for name in ("movies", "credits", "movie_ids"):
        connection.get_collection(name).delete_many({})
    shards = {name: cluster.shard_client(name) for name in ("shard1", "shard2")}
    yield {name: client.movie_library for name, client in shards.items()}
    for client in shards.values():
        client.close()
    connection.disconnect()


def films(title: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number in range(COUNT):
        yield number, {"_id": f"f{number}", "title": f"{title} {number}", "type": "MOVIE"}


def ids(shard: Raw) -> set[str]:
    return {film["_id"] for film in shard.movies.find({}, {"_id": 1})}


def test_two_imports_racing_for_the_same_ids_leave_one_film_each(sharded: dict[str, Raw]) -> None:
    barrier, results = threading.Barrier(2), []

    def load(title: str) -> None:
        barrier.wait()
        results.append(bulk.load("movies", films(title)))

    threads = [threading.Thread(target=load, args=(title,)) for title in ("Alpha", "Beta")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = (ids(shard) for shard in sharded.values())
    assert min(len(first), len(second)) > COUNT / 4
    assert not first & second
    assert len(first | second) == COUNT
    assert sum(results, Counts()) == Counts(inserted=COUNT, rejected=COUNT)


@pytest.mark.usefixtures("sharded")
def test_an_id_in_use_on_another_shard_is_refused() -> None:
    bulk.load("movies", films("Alpha"))
    for number in range(20):
        with pytest.raises(Duplicate):
            operations.insert_one("movies", {"_id": f"f{number}", "title": f"Other {number}", "type": "MOVIE"})


def test_a_new_title_moves_the_film_to_its_shard(sharded: dict[str, Raw]) -> None:
    bulk.load("movies", films("Alpha"))
    before = {name: ids(shard) for name, shard in sharded.items()}
    for number in range(20):
        operations.update_document("movies", f"f{number}", {"title": f"Moved {number}"})
    after = {name: ids(shard) for name, shard in sharded.items()}
    moved = [film for film in before["shard1"] if film in after["shard2"]]
    assert moved
    assert len(after["shard1"]) + len(after["shard2"]) == COUNT
    assert operations.find_document("movies", "f0")["title"] == "Moved 0"


def test_a_poster_stays_with_a_film_that_changes_shards(sharded: dict[str, Raw]) -> None:
    here, there = two_titles(sharded)
    for number in range(8):  # as many films as it takes for posters on both shards
        operations.insert_one("movies", {"_id": f"p{number}", "title": here, "type": "MOVIE"})
        posters.store(f"p{number}", Picture(b"small", b"large"), actor=Actor("u1", "ada"))
        operations.update_document("movies", f"p{number}", {"title": there})
        version, content = posters.read(f"p{number}", "small")
        assert (version, content) == (operations.find_document("movies", f"p{number}")["poster"], b"small")
    assert all(shard.posters.count_documents({}) for shard in sharded.values())
    assert operations.delete_documents("movies", [f"p{number}" for number in range(8)]) == 8
    assert [shard.posters.count_documents({}) for shard in sharded.values()] == [0, 0]


def two_titles(sharded: dict[str, Raw]) -> tuple[str, str]:
    """Titles of films that lie on different shards."""
    bulk.load("movies", films("Alpha"))
    first, second = (shard.movies.find_one({}, {"title": 1}) for shard in sharded.values())
    assert first is not None
    assert second is not None
    operations.delete_document("movies", first["_id"])
    return first["title"], second["title"]


def test_a_title_is_looked_up_on_one_shard(sharded: dict[str, Raw]) -> None:
    bulk.load("movies", films("Alpha"))

    def shards_asked(*conditions: Condition) -> int:
        found = connection.get_collection("movies").find(filters.query("movies", conditions))
        plan = found.explain()["queryPlanner"]["winningPlan"]
        return len(plan["shards"])

    assert shards_asked(Condition("title", "eq", "Alpha 7")) == 1
    assert shards_asked(Condition("title", "in", ["Alpha 7"]), Condition("runtime", "exists", "no")) == 1
    assert shards_asked(Condition("_id", "eq", "f7")) == len(sharded)
    page = listing.list_page("movies", conditions=[Condition("title", "eq", "Alpha 7")], sort="ranking_score")
    assert [film["_id"] for film in page.rows] == ["f7"]


def test_a_film_that_changes_shards_is_never_missed_nor_seen_twice(sharded: dict[str, Raw]) -> None:
    here, there = two_titles(sharded)
    operations.insert_one("movies", {"_id": "mover", "title": here, "type": "MOVIE"})
    done = threading.Event()
    seen: list[str] = []
    copies: list[int] = []
    with_likes: list[set[str]] = []
    snapshot = connection.get_collection("movies").with_options(read_concern=ReadConcern("snapshot"))

    def look() -> None:
        while not done.is_set():
            seen.append(operations.find_document("movies", "mover")["title"])
            copies.append(len(list(snapshot.find({"_id": "mover"}))))

    def sweep() -> None:
        while not done.is_set():
            with_likes.append(stray_likes._there("movies", [{"movie_id": "mover"}], "movie_id"))

    def move() -> None:
        try:
            for number in range(30):
                operations.update_document("movies", "mover", {"title": (there, here)[number % 2]})
        finally:
            done.set()

    with ThreadPoolExecutor(4) as pool:
        for task in [pool.submit(look), pool.submit(sweep), pool.submit(sweep), pool.submit(move)]:
            task.result()
    assert set(seen) == {here, there}
    assert set(copies) == {1}
    assert set() not in with_likes, "its likes would have been swept"


def test_adding_a_film_again_while_its_title_changes_makes_no_duplicate(
    sharded: dict[str, Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = two_titles(sharded)
    film = {"_id": "mover", "title": here, "type": "MOVIE"}
    operations.insert_one("movies", film)
    take, moves = claims.take_all, []

    def take_and_let_it_move(wanted: Mapping[str, int], session: ClientSession) -> set[str]:
        """Between taking the claim and inserting the film. The move can't end before this transaction does."""
        refused = take(wanted, session)
        if not moves:
            moves.append(pool.submit(operations.update_document, "movies", "mover", {"title": there}))
            wait(moves, timeout=1)
        return refused

    monkeypatch.setattr(claims, "take_all", take_and_let_it_move)
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(Duplicate):
            operations.insert_one("movies", film)
        moves[0].result()
    assert [film["title"] for shard in sharded.values() for film in shard.movies.find({"_id": "mover"})] == [there]


def test_claims_of_films_on_any_shard_are_kept_when_the_others_are_swept(sharded: dict[str, Raw]) -> None:
    bulk.load("movies", films("Alpha"))
    claimed = connection.get_collection(claims.NAME)
    claimed.insert_many([{"_id": f"left{number}", "title_hash": number} for number in range(5)])
    claimed.update_many({}, {"$unset": {"at": ""}})
    assert claims.sweep() == 5
    assert claimed.count_documents({}) == COUNT == sum(len(ids(shard)) for shard in sharded.values())


def test_a_malformed_film_is_refused_on_every_shard(sharded: dict[str, Raw]) -> None:
    assert install_validators() == []
    bulk.load("movies", films("Alpha"))
    for shard in sharded.values():
        (film,) = shard.movies.find({}).limit(1)
        with pytest.raises(ValidationFailed) as raised, connection.driver_errors():
            connection.get_collection("movies").update_one({"_id": film["_id"]}, {"$set": {"runtime": "long"}})
        assert set(raised.value.errors) == {"runtime"}
