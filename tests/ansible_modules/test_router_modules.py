"""The modules that talk to a router: mongodb_shards, mongodb_sharded_collection, mongodb_login."""

from __future__ import annotations

from typing import Any

import pytest

from ops.local_cluster import CLUSTER_ADMIN, LocalCluster
from tests.ansible_modules.conftest import Module
from tests.ansible_modules.tls import module_options


@pytest.fixture(scope="module")
def login(small_cluster: LocalCluster) -> dict[str, Any]:
    assert small_cluster.router
    return {
        "login_port": small_cluster.router.port,
        "login_user": CLUSTER_ADMIN,
        "login_password": small_cluster.passwords[CLUSTER_ADMIN],
        "login_ca_file": module_options(small_cluster.tls)["login_ca_file"],
    }


@pytest.fixture(scope="module")
def listed(small_cluster: LocalCluster) -> dict[str, list[str]]:
    return {name: small_cluster.replica_set(name).hosts for name in ("shard1", "shard2")}


def collection(name: str, key: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"database": "movie_library", "collection": name, "key": key, **options}


def sharded(cluster: LocalCluster, name: str) -> dict[str, Any] | None:
    with cluster.client() as client:
        return client.config.collections.find_one({"_id": f"movie_library.{name}"})


def test_shards_a_new_collection_once(run_module: Module, small_cluster: LocalCluster, login: dict[str, Any]) -> None:
    asked = collection("reviews", {"movie_id": "hashed"})
    preview = run_module("mongodb_sharded_collection", check=True, **asked, **login)
    assert preview["changed"]
    assert preview["diff"]["after"]["key"] == ["movie_id: hashed"]
    assert sharded(small_cluster, "reviews") is None

    first = run_module("mongodb_sharded_collection", **asked, **login)
    assert first["changed"], first
    assert set(first["chunks"]) == {"shard1", "shard2"}

    second = run_module("mongodb_sharded_collection", **asked, **login)
    assert not second["changed"]
    assert second["chunks"] == first["chunks"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"key": {"_id": "hashed"}}, "_id: hashed"),
        ({"key": {"title_hash": 1}}, "title_hash: 1"),
        ({"key": {"title_hash": "hashed", "_id": 1}}, "_id: 1"),
        ({"key": {"title_hash": "hashed"}, "unique": True}, "True"),
    ],
)
def test_refuses_another_key(
    run_module: Module, small_cluster: LocalCluster, login: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    before = sharded(small_cluster, "movies")
    for check in (True, False):
        result = run_module("mongodb_sharded_collection", check=check, **collection("movies", **options), **login)
        assert result["failed"]
        assert "title_hash: hashed" in result["msg"]
        assert said in result["msg"]
    assert sharded(small_cluster, "movies") == before


def test_refuses_an_unknown_kind_of_key(run_module: Module, login: dict[str, Any]) -> None:
    result = run_module("mongodb_sharded_collection", **collection("tags", {"name": "text"}), **login)
    assert "expected 1 or hashed" in result["msg"]


def test_existing_shards_are_unchanged(run_module: Module, login: dict[str, Any], listed: dict[str, list[str]]) -> None:
    assert run_module("mongodb_shards", shards=listed, **login)["changed"] is False


def test_an_unlisted_shard_is_an_error(run_module: Module, login: dict[str, Any], listed: dict[str, list[str]]) -> None:
    result = run_module("mongodb_shards", shards={"shard1": listed["shard1"]}, **login)
    assert result["failed"]
    assert f"the cluster has a shard shard2 ({listed['shard2'][0]})" in result["msg"]


def test_a_shard_on_other_hosts_is_an_error(
    run_module: Module, login: dict[str, Any], listed: dict[str, list[str]]
) -> None:
    swapped = {"shard1": listed["shard2"], "shard2": listed["shard1"]}
    result = run_module("mongodb_shards", check=True, shards=swapped, **login)
    assert f"shard1 is on {listed['shard1'][0]} instead of {listed['shard2'][0]}" in result["msg"]


def test_a_missing_shard_would_be_added(
    run_module: Module, login: dict[str, Any], listed: dict[str, list[str]]
) -> None:
    result = run_module("mongodb_shards", check=True, shards={**listed, "shard3": ["localhost:1"]}, **login)
    assert result["changed"]
    assert result["added"] == ["shard3"]


def test_login(run_module: Module, login: dict[str, Any]) -> None:
    ca = {"login_ca_file": login["login_ca_file"]}
    assert run_module("mongodb_login", **login)["accepted"] is True
    assert run_module("mongodb_login", **{**login, "login_password": "wrong-one"})["accepted"] is False
    assert run_module("mongodb_login", **ca, login_port=login["login_port"])["primary"] is True
    silent = run_module("mongodb_login", login_port=1, timeout=1)
    assert "doesn't answer" in silent["msg"]
