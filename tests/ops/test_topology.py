"""The hosts of each topology, and the inventory for Ansible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops import inventory
from ops.settings import Settings
from ops.source import PackageSource

SOURCE = PackageSource(False, "6.0", "file:///srv/mirror", "bookworm/mongodb-org/6.0", "main", Path("/key.asc"))


def build(**variables: str) -> dict[str, Any]:
    """The `all` group of the inventory for these variables."""
    everything: dict[str, Any] = inventory.inventory(Settings.read(variables), SOURCE)["all"]
    return everything


def groups(**variables: str) -> dict[str, list[str]]:
    return {name: list(group["hosts"]) for name, group in build(**variables)["children"].items()}


DATA = ["mongo-1", "mongo-2", "mongo-3"]


def test_compact_has_every_replica_set_on_each_data_host() -> None:
    expected = {"config": DATA, "shard1": DATA, "shard2": DATA, "mongos": ["router-1"], "web": ["router-1"]}
    assert groups() == expected


def test_a_third_shard_needs_no_more_hosts_when_compact() -> None:
    assert groups(SHARDS="3") == groups() | {"shard3": DATA}


def test_dedicated_has_one_host_per_process() -> None:
    found = groups(TOPOLOGY="dedicated")
    assert found["config"] == ["config-1", "config-2", "config-3"]
    assert found["shard2"] == ["shard2-1", "shard2-2", "shard2-3"]
    assert len(build(TOPOLOGY="dedicated")["hosts"]) == 10


@pytest.mark.parametrize("topology", ["compact", "dedicated"])
@pytest.mark.parametrize("shards", ["1", "3", "9"])
@pytest.mark.parametrize("members", ["3", "7"])
def test_names_and_addresses_are_unique(topology: str, shards: str, members: str) -> None:
    hosts = Settings.read({"TOPOLOGY": topology, "SHARDS": shards, "MEMBERS": members}).hosts
    assert len({host.name for host in hosts}) == len({host.address for host in hosts}) == len(hosts)


def test_a_host_keeps_its_address_when_others_are_added() -> None:
    few = set(Settings.read({"TOPOLOGY": "dedicated"}).hosts)
    many = set(Settings.read({"TOPOLOGY": "dedicated", "SHARDS": "9", "MEMBERS": "7"}).hosts)
    assert few < many


def test_the_inventory_has_the_roles_variables() -> None:
    variables = build(ENV="test")["vars"]
    assert variables["mongodb_version"] == "6.0"
    assert variables["mongodb_apt_uri"] == "file:///srv/mirror"
    assert variables["mongodb_apt_suite"] == "bookworm/mongodb-org/6.0"
    assert variables["mongodb_apt_component"] == "main"
    assert variables["mongodb_apt_key_file"] == "/key.asc"
    assert variables["cluster_secrets_dir"].endswith("/secrets/test")
    assert "StrictHostKeyChecking=no" not in str(variables)


def test_the_inventory_is_written_atomically(sandbox: Path) -> None:
    path = inventory.write(Settings.read({"ENV": "test"}), SOURCE)
    assert path == sandbox / "build" / "test" / "inventory.yml"
    assert {file.name for file in path.parent.iterdir()} == {"inventory.yml", "ssh_config"}
