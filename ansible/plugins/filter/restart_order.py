"""Ansible filter: in which order members of replica sets restart. See DOCUMENTATION."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: restart_order
short_description: Order the members of replica sets for a rolling restart
description:
  - Secondaries come before their primary, which then hands over to one that has restarted, so that each set has only
    one election.
options:
  _input:
    description: The replica sets, each with C(name), C(members) as C(host:port), and what the caller needs besides.
    type: list
    elements: dict
    required: true
  primaries:
    description: Replica set -> its primary as C(host:port).
    type: dict
    required: true
author: [Film Library]
"""

EXAMPLES = r"""
- name: Restart one after the other
  ansible.builtin.include_tasks: restart_member.yml
  loop: "{{ replica_sets | restart_order({'shard1': 'db-2:27101'}) }}"
"""

RETURN = r"""
_value:
  description: The sets' entries, once for each member, with C(member) and its C(host).
  type: list
  elements: dict
  sample: [{name: shard1, members: ["db-1:27101", "db-2:27101"], member: "db-1:27101", host: db-1}]
"""


def restart_order(replica_sets: list[dict[str, Any]], primaries: Mapping[str, str]) -> list[dict[str, Any]]:
    """One entry for each member, a set's secondaries before its primary. Raises KeyError for a set without primary."""
    return [
        entry | {"member": member, "host": member.rpartition(":")[0]}
        for entry in replica_sets
        for member in sorted(entry["members"], key=lambda member, last=primaries[entry["name"]]: member == last)
    ]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"restart_order": restart_order}
