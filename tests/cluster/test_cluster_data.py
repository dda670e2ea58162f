"""The sample catalogue is complete, and each shard, asked directly, has its share."""

from __future__ import annotations

import pytest

from tests.deployed import Deployment, Inventory

SAMPLE_FILMS = 17_472
TOLERANCE = 0.05  # of all films, around an equal share: 45 to 55 % with two shards


def documents_of_shards(deployment: Deployment, inventory: Inventory, collection: str) -> dict[str, int]:
    """Documents that each shard's primary holds, past the router."""
    counts = {}
    for shard in inventory.shards:
        members = inventory.replica_sets[shard]
        primary = deployment.client(members[0]).admin.command("hello")["primary"]
        member = next(member for member in members if f"{member.host}:{member.port}" == primary)
        database = deployment.client(member, "shard-admin")[inventory.database["cluster_database"]]
        counts[shard] = database[collection].count_documents({})
    return counts


def test_every_film_is_there(deployment: Deployment, inventory: Inventory) -> None:
    router = deployment.client(inventory.routers[0], "film-library-user")
    films = router[inventory.database["cluster_database"]].movies
    assert films.count_documents({"_id": {"$exists": True}}) >= SAMPLE_FILMS


@pytest.mark.parametrize("collection", ["movies", "credits"])
def test_documents_are_spread_evenly(deployment: Deployment, inventory: Inventory, collection: str) -> None:
    counts = documents_of_shards(deployment, inventory, collection)
    total = sum(counts.values())
    assert total >= SAMPLE_FILMS
    share = 1 / len(inventory.shards)
    assert {name: count / total for name, count in counts.items()} == {
        name: pytest.approx(share, abs=TOLERANCE) for name in inventory.shards
    }


@pytest.mark.parametrize("collection", ["movies", "credits"])
def test_router_counts_what_the_shards_hold(deployment: Deployment, inventory: Inventory, collection: str) -> None:
    router = deployment.client(inventory.routers[0], "cluster-admin")[inventory.database["cluster_database"]]
    assert router[collection].count_documents({}) == sum(
        documents_of_shards(deployment, inventory, collection).values()
    )


@pytest.mark.parametrize("collection", ["administrators"])
def test_what_is_not_sharded_is_on_one_shard(deployment: Deployment, inventory: Inventory, collection: str) -> None:
    counts = documents_of_shards(deployment, inventory, collection)
    assert sorted(counts.values())[:-1] == [0] * (len(counts) - 1)
    assert max(counts.values()) >= 1, "the first superadmin"
