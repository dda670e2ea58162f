#!/usr/bin/python
"""Ansible module: wait until a replica set is healthy and caught up. See DOCUMENTATION."""

from __future__ import annotations

import time

from ansible.module_utils import replica_set_members as members
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_client import (
    AUTHENTICATION_FAILED,
    PyMongoError,
    client,
    code_of,
    password_in_force,
    require_pymongo,
    tls_arguments,
    tls_options,
    wait_for,
)

DOCUMENTATION = r"""
module: mongodb_replica_set_health
short_description: Wait until a replica set is healthy and caught up
description:
  - Waits until the set has a primary, and every member is primary or secondary and has the primary's last write. Fails
    with the reasons on timeout. Changes nothing.
  - Members that aren't listed count too, because a cloud's inventory may lack a machine that is off.
  - Also asks each listed member directly, because the primary notices a stopped member late.
  - C(community.mongodb.mongodb_status) isn't used because it ignores replication lag.
options:
  name:
    description: Name of the replica set.
    type: str
    required: true
  members:
    description: All members as C(host:port).
    type: list
    elements: str
    required: true
  login_user:
    description: A user that may read the set's status.
    type: str
    required: true
  login_password:
    description: The user's password.
    type: str
    required: true
  login_other_password:
    description: Used if O(login_password) isn't accepted, while one replaces the other.
    type: str
  max_lag:
    description: Seconds that a secondary may lag behind. V(0) demands the last write, which a busy one may not have.
    type: int
    default: 0
  timeout:
    description: Seconds to wait.
    type: int
    default: 60
requirements:
  - pymongo
extends_documentation_fragment: [action_common_attributes, mongodb_tls]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
seealso:
  - module: mongodb_replica_set
author: [Film Library]
"""

EXAMPLES = r"""
- name: Wait until every member of shard1 has every write
  mongodb_replica_set_health:
    name: shard1
    members: [db-1:27101, db-2:27101, db-3:27101]
    login_user: shard-admin
    login_password: "{{ shard_admin_password }}"
"""

RETURN = r"""
primary:
  description: The primary as C(host:port).
  type: str
  returned: success
  sample: db-1:27101
"""


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "members": {"type": "list", "elements": "str", "required": True},
            "login_user": {"type": "str", "required": True},
            "login_password": {"type": "str", "required": True, "no_log": True},
            "login_other_password": {"type": "str", "no_log": True},
            "max_lag": {"type": "int", "default": 0},
            "timeout": {"type": "int", "default": 60},
            **tls_arguments(),
        },
        supports_check_mode=True,
    )
    require_pymongo(module)
    options = module.params
    tls = tls_options(module)
    lacking: dict[str, str] = {}

    def healthy() -> str | None:
        """The primary, if the set is healthy."""
        nonlocal lacking
        try:
            lacking = members.degraded(connection, options["members"], tls, options["max_lag"])
            return None if lacking else members.primary(connection)
        except PyMongoError as error:
            if code_of(error) == AUTHENTICATION_FAILED:
                module.fail_json(msg=f"{options['name']} rejects {options['login_user']}: {error}")
            lacking = {"primary": f"no answer ({error})"}
            return None

    with client(
        options["members"],
        replica_set=options["name"],
        user=options["login_user"],
        password=password_in_force(options["members"], options, tls, replica_set=options["name"]),
        tls=tls,
        selection_seconds=min(5, options["timeout"]),
    ) as connection:
        primary = wait_for(healthy, time.monotonic() + options["timeout"])
    if primary is None:
        found = "; ".join(f"{host}: {state}" for host, state in lacking.items())
        module.fail_json(msg=f"{options['name']} isn't healthy after {options['timeout']} s: {found}")
    module.exit_json(changed=False, primary=primary)


if __name__ == "__main__":
    main()
