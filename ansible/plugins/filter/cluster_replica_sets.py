"""Ansible filter: the cluster's replica sets, from the inventory's groups. See DOCUMENTATION."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: cluster_replica_sets
short_description: List the cluster's replica sets
description:
  - The group C(config) is the config servers' set, and each group C(shard1), C(shard2) ... is a shard's.
  - Each set gets another bootstrap host, so that a new cluster's primaries are spread over the hosts.
  - Hosts are sorted, because a cloud lists its instances in any order.
options:
  _input:
    description: The inventory's groups. Maps each name to its hosts.
    type: dict
    required: true
  ports:
    description: Ports as in C(group_vars/all/topology.json). Uses C(config), C(first_shard) and C(shard_step).
    type: dict
    required: true
author: [Film Library]
"""

EXAMPLES = r"""
- name: Show the replica sets
  ansible.builtin.debug:
    msg: "{{ groups | cluster_replica_sets(cluster_ports) }}"
"""

RETURN = r"""
_value:
  description: The config servers' set, then the shards by number.
  type: list
  elements: dict
  sample:
    - name: shard1
      cluster_role: shardsvr
      port: 27101
      hosts: [db-1, db-2, db-3]
      members: [db-1:27101, db-2:27101, db-3:27101]
      bootstrap_host: db-2
"""


def cluster_replica_sets(groups: Mapping[str, list[str]], ports: Mapping[str, int]) -> list[dict[str, Any]]:
    """The cluster's replica sets: {name, cluster_role, port, hosts, members (host:port), bootstrap_host}."""
    shards = sorted(int(found[1]) for group in groups if (found := re.fullmatch(r"shard([1-9][0-9]*)", group)))
    named = {"config": ports["config"]}
    named |= {f"shard{number}": ports["first_shard"] + ports["shard_step"] * (number - 1) for number in shards}
    sets = []
    for index, (name, port) in enumerate(named.items()):
        hosts = sorted(groups.get(name, []))
        sets.append(
            {
                "name": name,
                "cluster_role": "configsvr" if name == "config" else "shardsvr",
                "port": port,
                "hosts": hosts,
                "members": [f"{host}:{port}" for host in hosts],
                "bootstrap_host": hosts[index % len(hosts)] if hosts else "",
            }
        )
    return sets


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster_replica_sets": cluster_replica_sets}
