"""The filter plugins of ansible/plugins/filter."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest

from ops.paths import ANSIBLE

PORTS = json.loads((ANSIBLE / "group_vars/all/topology.json").read_text())["cluster_ports"]
HOSTS = ["db-1", "db-2", "db-3"]
GROUPS = {"all": HOSTS, "config": HOSTS[::-1], "shard10": HOSTS, "shard2": HOSTS, "shard1": HOSTS, "mongos": ["db-1"]}
ADDRESSES = {"db-1": "10.0.0.1", "db-2": "10.0.0.2", "db-3": "10.0.0.3"}


def load(name: str) -> Any:
    """The filter of this name, as Ansible gets it."""
    spec = importlib.util.spec_from_file_location(name, ANSIBLE / f"plugins/filter/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FilterModule().filters()[name]


cluster_replica_sets = load("cluster_replica_sets")
inventory_problems = load("inventory_problems")
subject_alt_names = load("subject_alt_names")
unlisted_data = load("unlisted_data")
volume_problems = load("volume_problems")


def test_replica_sets_are_the_config_servers_and_the_shards_by_number() -> None:
    sets = cluster_replica_sets(GROUPS, PORTS)
    assert [(entry["name"], entry["cluster_role"], entry["port"]) for entry in sets] == [
        ("config", "configsvr", 27019),
        ("shard1", "shardsvr", 27018),
        ("shard2", "shardsvr", 27028),
        ("shard10", "shardsvr", 27108),
    ]
    assert sets[0]["members"] == ["db-1:27019", "db-2:27019", "db-3:27019"]


def test_each_set_is_initiated_on_another_host() -> None:
    assert [entry["bootstrap_host"] for entry in cluster_replica_sets(GROUPS, PORTS)] == [*HOSTS, "db-1"]


def test_a_group_without_hosts_is_a_set_without_members() -> None:
    (config,) = cluster_replica_sets({"all": []}, PORTS)
    assert (config["hosts"], config["members"], config["bootstrap_host"]) == ([], [], "")


def problems(groups: dict[str, list[str]], addresses: dict[str, str], **options: Any) -> list[str]:
    found: list[str] = inventory_problems(
        groups, cluster_replica_sets(groups, PORTS), addresses, router_port=PORTS["mongos"], **options
    )
    return found


def test_a_good_inventory_has_no_problems() -> None:
    assert problems(GROUPS, ADDRESSES) == []


@pytest.mark.parametrize(
    ("groups", "addresses", "said"),
    [
        (GROUPS | {"mongos": []}, ADDRESSES, "the group mongos has no host"),
        ({"config": HOSTS, "mongos": HOSTS}, ADDRESSES, "the group shard1 has no host"),
        (GROUPS | {"shard-3": HOSTS}, ADDRESSES, "the group shard-3 must be named shard1, shard2, ..."),
        (GROUPS | {"shard01": HOSTS}, ADDRESSES, "the group shard01 must be named shard1, shard2, ..."),
        (
            GROUPS | {"shard2": HOSTS[:2]},
            ADDRESSES,
            "the group shard2 has 2 hosts, allowed are 3, 5 or 7 (1 with cluster_allow_single_member)",
        ),
        (
            GROUPS | {"shard2": HOSTS[:1]},
            ADDRESSES,
            "the group shard2 has 1 hosts, allowed are 3, 5 or 7 (1 with cluster_allow_single_member)",
        ),
        (GROUPS, ADDRESSES | {"DB_4": "10.0.0.4"}, "DB_4 is not a host name (lower-case letters, digits, - and .)"),
        (GROUPS, ADDRESSES | {"db-4": "10.0.0.1"}, "db-1 and db-4 have the same address 10.0.0.1"),
    ],
)
def test_each_problem_is_a_sentence(groups: dict[str, list[str]], addresses: dict[str, str], said: str) -> None:
    assert problems(groups, addresses) == [said]


def test_a_single_member_may_be_allowed() -> None:
    single = {"config": HOSTS[:1], "shard1": HOSTS[:1], "mongos": HOSTS[:1]}
    assert problems(single, {"db-1": "10.0.0.1"}, allow_single_member=True) == []


def test_two_processes_on_one_port_are_a_problem() -> None:
    sets = [{"name": name, "port": 1, "hosts": HOSTS} for name in ("config", "shard1")]
    found = inventory_problems(GROUPS, sets, ADDRESSES, router_port=1)
    assert found[0] == "two processes on db-1 would listen on the same port: 1, 1, 1"
    assert len(found) == 3


def find(*names: str) -> dict[str, Any]:
    """What ansible.builtin.find returns for data of these sets."""
    return {"files": [{"path": f"/var/lib/mongodb/{name}/WiredTiger"} for name in names]}


@pytest.mark.parametrize(
    ("found", "unlisted"),
    [
        ({"db-1": find("shard1"), "db-2": find()}, []),
        ({"db-1": find(), "db-9": find("shard1")}, ["shard1 on db-9"]),  # moved away entirely
        ({"db-1": find("shard1"), "db-9": find("shard1")}, []),  # one of its members moved
        ({"db-1": find("shard7"), "db-2": find("shard7", "shard1")}, ["shard7 on db-1, db-2"]),
        ({"db-1": {}}, []),
    ],
)
def test_data_of_unlisted_sets(found: dict[str, Any], unlisted: list[str]) -> None:
    assert unlisted_data(found, [{"name": "shard1", "hosts": HOSTS}]) == unlisted


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({}, []),
        ({"content": "xfs"}, []),
        ({"content": "ext4"}, ["/dev/x holds ext4, not XFS"]),
        ({"blank": False}, ["/dev/x has no signature that blkid knows, but is not blank"]),
        ({"mounts": ["xfs /mnt"], "hidden": ["/data/a"]}, ["/dev/x is mounted (xfs /mnt), but belongs at /data alone"]),
        ({"content": "xfs", "hidden": ["/data/a"]}, ["/data already has content that /dev/x would hide: /data/a"]),
        (
            {"content": "ext4", "mounts": ["ext4 /mnt"]},
            ["/dev/x holds ext4, not XFS", "/dev/x is mounted (ext4 /mnt), but belongs at /data alone"],
        ),
    ],
)
def test_volume_problems(state: dict[str, Any], said: list[str]) -> None:
    usable: dict[str, Any] = {"content": "", "blank": True, "mounts": [], "hidden": []}
    found = volume_problems("/dev/x", "/data", **(usable | state))
    assert [sentence.split(". ")[0] for sentence in found] == said


def test_a_certificate_names_hosts_and_addresses_once_each() -> None:
    names = ["db-1", "localhost", "127.0.0.1", "10.0.0.1", "10.0.0.1", "2001:db8::1", "10.0.0.1.example"]
    assert subject_alt_names(names) == [
        "DNS:db-1", "DNS:localhost", "IP:127.0.0.1", "IP:10.0.0.1", "IP:2001:db8::1", "DNS:10.0.0.1.example"
    ]  # fmt: skip


def test_members_restart_before_the_primary_of_their_set() -> None:
    order = load("restart_order")
    sets = cluster_replica_sets(GROUPS, PORTS)[:2]
    primaries = {"config": "db-2:27019", "shard1": "db-1:27018"}
    found = order(sets, primaries)
    assert [(entry["name"], entry["host"]) for entry in found] == [
        ("config", "db-1"),
        ("config", "db-3"),
        ("config", "db-2"),
        ("shard1", "db-2"),
        ("shard1", "db-3"),
        ("shard1", "db-1"),
    ]
    assert (found[-1]["member"], found[-1]["cluster_role"]) == ("db-1:27018", "shardsvr")
    assert order([], {}) == []
    with pytest.raises(KeyError):
        order(sets, {"config": "db-2:27019"})


OLD, NEW = "b2xk\nb2xk", "bmV3bmV3"
KEY_FILES = ["b2xkb2xk", '- "b2xkb2xk"\n- "bmV3bmV3"\n', '- "bmV3bmV3"\n- "b2xkb2xk"\n', "bmV3bmV3"]


@pytest.mark.parametrize(
    ("found", "left"),
    [
        ([OLD, OLD], KEY_FILES[1:]),
        ([OLD, KEY_FILES[1]], KEY_FILES[1:]),  # the first pass was being written
        ([KEY_FILES[1], KEY_FILES[1]], KEY_FILES[1:]),  # perhaps not all have restarted
        ([KEY_FILES[2], KEY_FILES[1]], KEY_FILES[2:]),
        ([KEY_FILES[3], KEY_FILES[2]], KEY_FILES[3:]),
        ([NEW, NEW], KEY_FILES[3:]),
    ],
)
def test_a_key_file_changes_in_three_passes(found: list[str], left: list[str]) -> None:
    assert load("key_file_passes")(found, OLD, NEW) == left


def test_a_key_file_of_another_cluster_is_refused() -> None:
    with pytest.raises(ValueError, match="another key file"):
        load("key_file_passes")([OLD, "b3RoZXI="], OLD, NEW)
    assert load("key_file_passes")([NEW], NEW, NEW) == KEY_FILES[3:], "the controller has forgotten the old one already"
