"""Claims on film ids: adopted if their film never came, swept in time, never another film's."""

from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from app.db import operations
from app.db.core import Duplicate, ValidationFailed, custom_hash, now
from app.db.films import claims
from app.db.records import bulk

Raw = Database[dict[str, Any]]
FILM = {"_id": "tm1", "title": "The Matrix", "type": "MOVIE", "genres": ["action"], "runtime": 136}


@pytest.fixture
def film(database: Raw) -> str:
    return operations.insert_one("movies", FILM)


@pytest.mark.parametrize("expect_new", [False, True])
def test_a_stale_claim_can_be_adopted_by_the_same_film_only(database: Raw, expect_new: bool) -> None:
    owners, new = claims.claim_new({"tm1": custom_hash("The Matrix")}, expect_new=expect_new)
    assert (owners, new) == ({"tm1": custom_hash("The Matrix")}, {"tm1"})
    more = {"tm1": custom_hash("Other"), "tm2": 2}
    assert claims.claim_new(more, expect_new=expect_new) == ({**owners, "tm2": 2}, {"tm2"})
    with pytest.raises(Duplicate):
        operations.insert_one("movies", {**FILM, "title": "Other"})
    operations.insert_one("movies", FILM)
    assert database.movies.count_documents({}) == 1


def test_an_import_that_finds_a_claim_without_its_film_adopts_it(database: Raw) -> None:
    claims.claim_new({"tm1": custom_hash("The Matrix"), "tm2": custom_hash("Other")})
    bulk.load("movies", enumerate([FILM, {**FILM, "_id": "tm2"}, {**FILM, "_id": "tm3"}]))
    assert {film["_id"] for film in database.movies.find()} == {"tm1", "tm3"}
    adopted = {claim["_id"] for claim in database[claims.NAME].find({"adopted": {"$exists": True}})}
    assert adopted == {"tm1"}


def test_a_title_whose_claim_an_import_may_still_use_keeps_its_shard(database: Raw) -> None:
    claims.claim_new({"tm1": custom_hash("The Matrix")})  # an import, which has yet to send the film
    operations.insert_one("movies", FILM)
    with pytest.raises(ValidationFailed, match="being imported"):
        operations.update_document("movies", "tm1", {"title": "Matrix"})
    database[claims.NAME].update_one({}, {"$set": {"at": now() - claims.LEASE}})
    operations.update_document("movies", "tm1", {"title": "Matrix"})
    operations.update_document("movies", "tm1", {"title": "The Matrix"})  # no longer adopted


def test_only_abandoned_claims_are_swept(film: str, database: Raw) -> None:
    old = now() - claims.LEASE - timedelta(seconds=1)
    database[claims.NAME].update_one({"_id": film}, {"$set": {"at": old}})
    database[claims.NAME].insert_many(
        [{"_id": "left", "title_hash": 1, "at": old}, {"_id": "older", "title_hash": 2}, {"_id": "r", "title_hash": 3}]
    )
    claims.claim_new({"under way": 4})
    database[claims.NAME].update_one({"_id": "r"}, {"$set": {"at": now()}})
    assert claims.sweep() == 2
    assert {claim["_id"] for claim in database[claims.NAME].find()} == {film, "under way", "r"}
    assert claims.sweep() == 0
    assert operations.insert_one("movies", {**FILM, "_id": "left", "title": "Something else"}) == "left"
