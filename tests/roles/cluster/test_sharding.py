"""Role `sharded_cluster`, as router, config servers and shards see it."""

from __future__ import annotations

import pytest
from pymongo.errors import OperationFailure

from tests.deployed import Deployment, Inventory, Process

UNAUTHORIZED = 13


def test_router_knows_every_shard(deployment: Deployment, inventory: Inventory, router: Process) -> None:
    listed = deployment.client(router, "cluster-admin").admin.command("listShards")["shards"]
    assert {shard["_id"]: set(shard["host"].split("/")[1].split(",")) for shard in listed} == {
        name: {f"{member.host}:{member.port}" for member in inventory.replica_sets[name]} for name in inventory.shards
    }


def test_collections_are_sharded_on_their_keys(deployment: Deployment, inventory: Inventory, router: Process) -> None:
    database = inventory.database["cluster_database"]
    found = deployment.client(router, "cluster-admin").config.collections.find({"_id": {"$regex": f"^{database}\\."}})
    assert {entry["_id"].split(".", 1)[1]: dict(entry["key"]) for entry in found} == {
        entry["collection"]: entry["key"] for entry in inventory.database["cluster_sharded_collections"]
    }


def test_chunks_of_every_collection_lie_on_every_shard(
    deployment: Deployment, inventory: Inventory, router: Process
) -> None:
    """Spread before a document is there: a load doesn't have to wait for the balancer."""
    config = deployment.client(router, "cluster-admin").config
    for entry in inventory.database["cluster_sharded_collections"]:
        namespace = f"{inventory.database['cluster_database']}.{entry['collection']}"
        collection = config.collections.find_one({"_id": namespace})
        assert collection, f"{namespace} is not sharded"
        chunks = config.chunks.aggregate(
            [{"$match": {"uuid": collection["uuid"]}}, {"$group": {"_id": "$shard", "chunks": {"$sum": 1}}}]
        )
        counts = {chunk["_id"]: chunk["chunks"] for chunk in chunks}
        assert set(counts) == set(inventory.shards), namespace
        assert max(counts.values()) - min(counts.values()) <= 1, namespace


def test_balancer_is_on(deployment: Deployment, router: Process) -> None:
    assert deployment.client(router, "cluster-admin").admin.command("balancerStatus")["mode"] == "full"


@pytest.mark.parametrize(
    "user", ["film-library-admin", "film-library-user", "film-library-deploy", "film-library-backup", "monitor"]
)
def test_users_have_their_roles_and_no_other(
    deployment: Deployment, inventory: Inventory, router: Process, user: str
) -> None:
    info = deployment.client(router, "cluster-admin").admin.command("usersInfo", user)["users"]
    wanted = next(entry["roles"] for entry in inventory.database["cluster_database_users"] if entry["name"] == user)
    assert [{(role["role"], role["db"]) for role in entry["roles"]} for entry in info] == [
        {(role["role"], role["db"]) for role in wanted}
    ]


@pytest.mark.parametrize(
    ("database", "command"),
    [
        # None of them would do harm if it were allowed.
        ("movie_library", {"update": "movies", "updates": [{"q": {"_id": "there is none"}, "u": {"$set": {"a": 1}}}]}),
        ("movie_library", {"delete": "credits", "deletes": [{"q": {"_id": "there is none"}, "limit": 1}]}),
        ("movie_library", {"delete": "people", "deletes": [{"q": {"_id": "there is none"}, "limit": 1}]}),
        ("movie_library", {"delete": "posters", "deletes": [{"q": {"movie_id": "there is none"}, "limit": 1}]}),
        ("movie_library", {"find": "admin_sessions"}),
        ("movie_library", {"drop": "there-is-none"}),
        ("another", {"dropDatabase": 1}),
        ("another", {"find": "anything"}),
        ("admin", {"listShards": 1}),
        ("admin", {"usersInfo": 1}),
        ("config", {"find": "shards"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_user_app_can_do_no_more_than_it_must(
    deployment: Deployment, router: Process, database: str, command: dict[str, object]
) -> None:
    with pytest.raises(OperationFailure) as refused:
        deployment.client(router, "film-library-user")[database].command(command)
    assert refused.value.code == UNAUTHORIZED
