#!/usr/bin/python
"""Ansible module: the shards of a cluster as the inventory lists them. See DOCUMENTATION."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_client import (
    Document,
    MongoClient,
    PyMongoError,
    login,
    login_arguments,
    require_pymongo,
)

DOCUMENTATION = r"""
module: mongodb_shards
short_description: Add replica sets to a MongoDB cluster as shards
description:
  - Adds the listed replica sets that aren't shards yet, through a router.
  - Fails, showing both sides and changing nothing, when the cluster has a shard that isn't listed (it would have to be
    drained first), or one of a listed name on other hosts.
  - community.mongodb.mongodb_shard isn't used because it sees neither of these.
options:
  shards:
    description: "Name -> members as host:port. The shard's name is its replica set's."
    type: dict
    required: true
  login_host: {description: Host of the router, type: str, default: localhost}
  login_port: {description: Port of the router, type: int, default: 27017}
  login_user: {description: A user who may add shards (clusterManager or root), type: str}
  login_password: {description: The user's password, type: str}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Add the shards
  mongodb_shards:
    shards:
      shard1: [mongo-1:27018, mongo-2:27018, mongo-3:27018]
      shard2: [mongo-1:27028, mongo-2:27028, mongo-3:27028]
    login_user: cluster-admin
    login_password: "{{ cluster_admin_password }}"
"""

RETURN = r"""
added: {description: Names of the shards that were added or would be, type: list, elements: str, returned: success}
"""


def registered(connection: MongoClient[Document]) -> dict[str, list[str]]:
    """Name -> hosts of the shards that the cluster has."""
    listing = connection.admin.command("listShards")["shards"]
    return {shard["_id"]: shard["host"].partition("/")[2].split(",") for shard in listing}


def conflicts(wanted: dict[str, list[str]], actual: dict[str, list[str]]) -> list[str]:
    """One sentence for every shard of the cluster that contradicts the inventory."""
    found = []
    for name, hosts in actual.items():
        if name not in wanted:
            found.append(f"the cluster has a shard {name} ({', '.join(hosts)})")
        # Members come and go, and the router learns of it late; a shard with none of its members is another one.
        elif not set(hosts) & set(wanted[name]):
            found.append(f"{name} is on {', '.join(hosts)} instead of {', '.join(wanted[name])}")
    return found


def run(module: AnsibleModule, connection: MongoClient[Document]) -> None:
    """Adds what is missing; ends the module."""
    wanted: dict[str, list[str]] = module.params["shards"]
    actual = registered(connection)
    if found := conflicts(wanted, actual):
        module.fail_json(
            msg=f"The inventory lists the shards {', '.join(wanted)}, but {'; '.join(found)}. Nothing was changed: "
            "correct the inventory. A shard is taken out by draining it, not by leaving it out."
        )
    missing = [name for name in wanted if name not in actual]
    if not module.check_mode:
        for name in missing:
            connection.admin.command("addShard", f"{name}/{','.join(wanted[name])}")
    diff = {"before": {"shards": sorted(actual)}, "after": {"shards": sorted(wanted)}} if missing else {}
    module.exit_json(changed=bool(missing), added=missing, diff=diff)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={"shards": {"type": "dict", "required": True}, **login_arguments()},
        supports_check_mode=True,
    )
    require_pymongo(module)
    try:
        with login(module) as connection:
            run(module, connection)
    except PyMongoError as error:
        module.fail_json(msg=f"shards: {error}")


if __name__ == "__main__":
    main()
