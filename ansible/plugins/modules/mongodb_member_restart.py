#!/usr/bin/python
"""Ansible module: restart a member of a replica set without anybody noticing. See DOCUMENTATION."""

from __future__ import annotations

import time
from typing import NoReturn

from ansible.module_utils import replica_set_members as members
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_client import (
    Document,
    MongoClient,
    PyMongoError,
    client,
    hello,
    require_pymongo,
    tls_arguments,
    tls_options,
    wait_for,
)

DOCUMENTATION = r"""
module: mongodb_member_restart
short_description: Restart a member of a replica set without anybody noticing
description:
  - Waits until every member of the set is healthy and caught up, each by its own word, so that two are never down at
    once. Lets a primary step down first. Restarts the unit, and waits again.
  - One task instead of several, because members wait in a row.
  - In check mode only checks that every member is healthy.
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
  local_member:
    description: The entry of O(members) to restart, which runs on the same host as the module.
    type: str
    required: true
  unit:
    description: Its systemd unit.
    type: str
    required: true
  primary:
    description: Whether to restart it even if it is the primary.
    type: bool
    default: true
  login_user:
    description: The set's administrator, with the role C(root).
    type: str
    required: true
  login_password:
    description: The administrator's password.
    type: str
    required: true
  max_lag:
    description: Seconds that a secondary may lag behind, before and after the restart.
    type: int
    default: 10
  farewell:
    description: >-
      Seconds for which a stopping member tells its clients to go elsewhere. They learn it at once; C(mongod)'s own time
      is for machines that are switched off.
    type: int
    default: 1
  timeout:
    description: Seconds for everything together.
    type: int
    default: 180
requirements:
  - pymongo
extends_documentation_fragment: [action_common_attributes, mongodb_tls]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
seealso:
  - module: mongodb_replica_set_health
author: [Film Library]
"""

EXAMPLES = r"""
- name: Restart the member of shard1 on db-1
  mongodb_member_restart:
    name: shard1
    members: [db-1:27101, db-2:27101, db-3:27101]
    local_member: db-1:27101
    unit: mongod@shard1.service
    login_user: shard-admin
    login_password: "{{ shard_admin_password }}"
"""

RETURN = r"""
stepped_down:
  description: Whether the member was primary.
  type: bool
  returned: success
seconds:
  description: What each part took.
  type: dict
  returned: after a restart
"""

#: How long a primary that steps down waits for a secondary, and doesn't stand for election again (seconds).
CATCH_UP_SECONDS, STAND_BACK_SECONDS = 20, 60


class Restart:
    """One run of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.options = module.params
        self.tls = tls_options(module)
        self.deadline = time.monotonic() + module.params["timeout"]
        self.seconds: dict[str, float] = {}
        self._began = time.monotonic()

    def run(self) -> NoReturn:
        """Restarts the member and exits the module."""
        with self.client(self.options["members"], replica_set=self.options["name"]) as everybody:
            self.wait_until_healthy(everybody, "before the restart")
            primary = members.primary(everybody) == self.options["local_member"]
            if self.module.check_mode or (primary and not self.options["primary"]):
                changed = not primary or bool(self.options["primary"])
                self.module.exit_json(changed=changed, stepped_down=changed and primary)
            with self.client(self.options["local_member"]) as member:
                if primary:
                    self.step_down(member, everybody)
                milliseconds = self.options["farewell"] * 1000
                member.admin.command("setParameter", 1, shutdownTimeoutMillisForSignaledShutdown=milliseconds)
            self.note("until it may stop")
            self.module.run_command(["systemctl", "daemon-reload"], check_rc=True)
            self.module.run_command(["systemctl", "restart", self.options["unit"]], check_rc=True)
            self.note("stop")
            if not wait_for(lambda: hello(self.options["local_member"], self.tls), self.deadline):
                self.fail(f"{self.options['local_member']} doesn't answer after its restart")
            self.note("start")
            self.wait_until_healthy(everybody, "after the restart")
            self.note("catch up")
        self.module.exit_json(changed=True, stepped_down=primary, seconds=self.seconds)

    def wait_until_healthy(self, everybody: MongoClient[Document], when: str) -> None:
        """Waits until each member says that it is primary or secondary, and the primary, that none lags."""
        lacking: dict[str, str] = {}

        def healthy() -> bool:
            nonlocal lacking
            lacking = members.degraded(everybody, self.options["members"], self.tls, self.options["max_lag"])
            return not lacking

        if not wait_for(healthy, self.deadline):
            found = "; ".join(f"{host}: {state}" for host, state in lacking.items())
            self.fail(f"{self.options['name']} isn't healthy {when} of {self.options['local_member']}: {found}")

    def step_down(self, member: MongoClient[Document], everybody: MongoClient[Document]) -> None:
        """Hands over to a secondary that has every write, and waits for it."""
        member.admin.command("replSetStepDown", STAND_BACK_SECONDS, secondaryCatchUpPeriodSecs=CATCH_UP_SECONDS)

        def handed_over() -> bool:
            try:
                return members.primary(everybody) not in (None, self.options["local_member"])
            except PyMongoError:  # it is being elected
                return False

        if not wait_for(handed_over, self.deadline):
            self.fail(f"{self.options['name']} has no primary after {self.options['local_member']} stepped down")

    def client(self, hosts: str | list[str], *, replica_set: str | None = None) -> MongoClient[Document]:
        user, password = self.options["login_user"], self.options["login_password"]
        return client(hosts, user=user, password=password, replica_set=replica_set, tls=self.tls)

    def note(self, part: str) -> None:
        now = time.monotonic()
        self.seconds[part], self._began = round(now - self._began, 1), now

    def fail(self, message: str) -> NoReturn:
        self.module.fail_json(msg=message, seconds=self.seconds)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "members": {"type": "list", "elements": "str", "required": True},
            "local_member": {"type": "str", "required": True},
            "unit": {"type": "str", "required": True},
            "primary": {"type": "bool", "default": True},
            "login_user": {"type": "str", "required": True},
            "login_password": {"type": "str", "required": True, "no_log": True},
            "max_lag": {"type": "int", "default": 10},
            "farewell": {"type": "int", "default": 1},
            "timeout": {"type": "int", "default": 180},
            **tls_arguments(),
        },
        supports_check_mode=True,
    )
    require_pymongo(module)
    if module.params["local_member"] not in module.params["members"]:
        module.fail_json(msg="local_member must be one of members")
    try:
        Restart(module).run()
    except PyMongoError as error:
        module.fail_json(msg=f"{module.params['local_member']}: {error}")


if __name__ == "__main__":
    main()
