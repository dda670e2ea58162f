#!/usr/bin/python
"""Ansible module: add the listed shards to a cluster. See DOCUMENTATION."""

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
  - Fails, showing both sides and changing nothing, if the cluster has a shard that isn't listed (it would have to be
    drained first), or has a listed one on other hosts.
  - C(community.mongodb.mongodb_shard) isn't used because it detects neither.
options:
  shards:
    description: Maps each shard's name, which is also its replica set's name, to its members as C(host:port).
    type: dict
    required: true
  login_user:
    description: A user that may add shards, with the role C(clusterManager) or C(root).
extends_documentation_fragment: [action_common_attributes, mongodb_process, mongodb_tls]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
  platform: {platforms: posix}
author: [Film Library]
"""

EXAMPLES = r"""
- name: Add the shards
  mongodb_shards:
    shards:
      shard1: [db-1:27101, db-2:27101, db-3:27101]
      shard2: [db-1:27102, db-2:27102, db-3:27102]
    login_port: "{{ mongos_port }}"
    login_user: cluster-admin
    login_password: "{{ cluster_admin_password }}"
"""

RETURN = r"""
added:
  description: Names of the shards that the module added, or would add in check mode.
  type: list
  elements: str
  returned: success
  sample: [shard2]
"""


def registered(connection: MongoClient[Document]) -> dict[str, list[str]]:
    """The cluster's shards: name -> hosts."""
    listing = connection.admin.command("listShards")["shards"]
    return {shard["_id"]: shard["host"].partition("/")[2].split(",") for shard in listing}


def conflicts(wanted: dict[str, list[str]], actual: dict[str, list[str]]) -> list[str]:
    """One sentence for each of the cluster's shards that contradicts the inventory."""
    found = []
    for name, hosts in actual.items():
        if name not in wanted:
            found.append(f"the cluster has a shard {name} ({', '.join(hosts)})")
        # Members come and go, and the router notices late. Without any common member it is another shard.
        elif not set(hosts) & set(wanted[name]):
            found.append(f"{name} is on {', '.join(hosts)} instead of {', '.join(wanted[name])}")
    return found


def run(module: AnsibleModule, connection: MongoClient[Document]) -> None:
    """Adds the missing shards and exits the module."""
    wanted: dict[str, list[str]] = module.params["shards"]
    actual = registered(connection)
    if found := conflicts(wanted, actual):
        module.fail_json(
            msg=f"The inventory lists the shards {', '.join(wanted)}, but {'; '.join(found)}. Nothing was changed: "
            "correct the inventory. To remove a shard, drain it first."
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
