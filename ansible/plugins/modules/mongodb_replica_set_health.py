#!/usr/bin/python
"""Ansible module: wait until a replica set is whole and caught up. See DOCUMENTATION."""

from __future__ import annotations

import time

from ansible.module_utils import replica_set_members as members
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_client import (
    AUTHENTICATION_FAILED,
    PyMongoError,
    client,
    code_of,
    require_pymongo,
    wait_for,
)

DOCUMENTATION = r"""
module: mongodb_replica_set_health
short_description: Wait until a replica set has a primary and every member is up and caught up
description:
  - Asks the primary until every member, listed or not, is primary or secondary and has the primary's last write, and
    fails with what is lacking when that takes too long. Changes nothing.
  - Listed members are asked themselves, too, because the primary doesn't know at once that one has stopped.
  - community.mongodb.mongodb_status isn't used because it doesn't look at how far a secondary is behind.
options:
  name: {description: Name of the set, type: str, required: true}
  members: {description: All members as host:port, type: list, elements: str, required: true}
  login_user: {description: A user who may ask for the set's status, type: str, required: true}
  login_password: {description: The user's password, type: str, required: true}
  max_lag:
    description: Seconds that a secondary may be behind; 0 asks for the very last write, which a busy one may not have.
    type: int
    default: 0
  timeout: {description: Seconds to wait, type: int, default: 60}
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Wait until every member of shard1 has every write
  mongodb_replica_set_health:
    name: shard1
    members: [mongo-1:27018, mongo-2:27018, mongo-3:27018]
    login_user: shard-admin
    login_password: "{{ shard_admin_password }}"
"""

RETURN = r"""
primary: {description: The primary as host:port, type: str, returned: success}
"""


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "members": {"type": "list", "elements": "str", "required": True},
            "login_user": {"type": "str", "required": True},
            "login_password": {"type": "str", "required": True, "no_log": True},
            "max_lag": {"type": "int", "default": 0},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    require_pymongo(module)
    options = module.params
    lacking: dict[str, str] = {}

    def whole() -> str | None:
        """The primary of the set when nothing is lacking."""
        nonlocal lacking
        try:
            # The members' own word first: one that has restarted may call itself secondary before it has every write.
            lacking = members.denying(options["members"]) or members.lacking(
                connection, options["members"], options["max_lag"]
            )
            return None if lacking else members.primary(connection)
        except PyMongoError as error:
            if code_of(error) == AUTHENTICATION_FAILED:
                module.fail_json(msg=f"{options['name']} refuses {options['login_user']}: {error}")
            lacking = {"primary": f"no answer ({error})"}
            return None

    with client(
        options["members"],
        replica_set=options["name"],
        user=options["login_user"],
        password=options["login_password"],
        selection_seconds=min(5, options["timeout"]),
    ) as connection:
        primary = wait_for(whole, time.monotonic() + options["timeout"])
    if primary is None:
        found = "; ".join(f"{host}: {state}" for host, state in lacking.items())
        module.fail_json(msg=f"{options['name']} isn't whole after {options['timeout']} s: {found}")
    module.exit_json(changed=False, primary=primary)


if __name__ == "__main__":
    main()
