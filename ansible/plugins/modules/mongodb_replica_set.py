#!/usr/bin/python
"""Ansible module: form a replica set and keep its members as listed. See DOCUMENTATION."""

from __future__ import annotations

import time
from typing import NoReturn

from ansible.module_utils import localhost_exception
from ansible.module_utils import replica_set_config as plan
from ansible.module_utils import replica_set_members as members
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_client import (
    ALREADY_INITIALIZED,
    AUTHENTICATION_FAILED,
    UNAUTHORIZED,
    Document,
    MongoClient,
    PyMongoError,
    client,
    code_of,
    require_pymongo,
    tls_arguments,
    tls_options,
    wait_for,
)

DOCUMENTATION = r"""
module: mongodb_replica_set
short_description: Form a replica set with authentication on, and keep its members as listed
description:
  - Initiates the set on the local member, which elects itself, creates the administrator through the localhost
    exception, and then adds the other members.
  - Adds and removes members of an existing set one at a time. Waits each time until the configuration is committed and
    the new member has its data.
  - Initiates a set only if every listed member answers and belongs to none.
  - Fails, showing both sides, on differences that can't be fixed without losing data. Never wipes or re-initiates
    anything.
  - Ends when every listed member is primary or secondary, so it also serves as the wait after a restart.
  - C(community.mongodb.mongodb_replicaset) isn't used because it can't initiate with authentication on, and compares
    nothing but the name of an existing set.
options:
  name:
    description: Name of the replica set.
    type: str
    required: true
  members:
    description: All members as C(host:port). Use host names, not addresses.
    type: list
    elements: str
    required: true
  local_member:
    description: The entry of O(members) that runs on the same host as the module.
    type: str
    required: true
  configsvr:
    description: Whether the members are a cluster's config servers.
    type: bool
    default: false
  settings:
    description: Entries of the configuration's C(settings). Others are left alone.
    type: dict
    default: {}
  login_user:
    description: The set's administrator, with the role C(root).
    type: str
    required: true
  login_password:
    description: The administrator's password.
    type: str
    required: true
  timeout:
    description: Seconds for everything together.
    type: int
    default: 180
requirements:
  - pymongo
extends_documentation_fragment: [action_common_attributes, mongodb_tls]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
  platform: {platforms: posix}
seealso:
  - module: mongodb_replica_set_health
author: [Film Library]
"""

EXAMPLES = r"""
- name: Form the replica set shard1
  mongodb_replica_set:
    name: shard1
    members: [db-1:27101, db-2:27101, db-3:27101]
    local_member: db-1:27101
    login_user: shard-admin
    login_password: "{{ shard_admin_password }}"
"""

RETURN = r"""
primary:
  description: The primary as C(host:port). Null while the set doesn't exist (check mode).
  type: str
  returned: success
  sample: db-1:27101
changes:
  description: What the module did, or would do in check mode.
  type: list
  elements: str
  returned: always
  sample: [initiated shard1 with db-1:27101, created shard-admin, add db-2:27101]
"""


class ReplicaSet:
    """One run of the module: what it found and what it changed."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.name: str = module.params["name"]
        self.wanted: list[str] = module.params["members"]
        self.local: str = module.params["local_member"]
        self.settings: Document = module.params["settings"]
        self.tls = tls_options(module)
        self.deadline = time.monotonic() + module.params["timeout"]
        self.changes: list[str] = []
        self.before: list[str] = []

    def run(self) -> None:
        """Converges the set and exits the module."""
        greetings = members.survey(self.name, self.wanted, self.deadline, self.tls, wait=not self.module.check_mode)
        if found := plan.conflicts(self.name, greetings):
            self.refuse("; ".join(found))
        seeds = plan.initialised(self.name, greetings)
        if not seeds:
            if self.module.check_mode:
                self.would_initiate()
            silent = [host for host, greeting in greetings.items() if greeting is None]
            if silent:
                self.fail(
                    f"no answer from {', '.join(silent)}: not initiating {self.name} without knowing what they hold"
                )
            self.initiate()
            seeds = [self.local]
        with self.log_in(seeds) as connection:
            self.before = self.before or plan.hosts(members.config(connection))
            self.converge(connection, greetings)
            primary = self.wait_until_healthy(connection)
        self.check_exception_closed()
        self.finish(primary)

    # -- forming the set

    def initiate(self) -> None:
        """Initiates the set on the local member, through the localhost exception."""
        config = plan.initial(self.name, self.local, configsvr=self.module.params["configsvr"], settings=self.settings)
        try:
            localhost_exception.initiate(self.local, config, self.tls)
        except PyMongoError as error:
            # It has users (so no localhost exception) or a configuration, although it reports no set.
            if code_of(error) in (ALREADY_INITIALIZED, UNAUTHORIZED):
                self.refuse(f"{self.local} holds the data of a set that it is no longer a member of ({error})")
            self.fail(f"{self.local} can't be initiated: {error}")
        self.before = []
        self.changes.append(f"initiated {self.name} with {self.local}")

    def log_in(self, seeds: list[str]) -> MongoClient[Document]:
        """A client of the primary, logged in as administrator. Creates the administrator if the set has no user yet."""
        connection = self.admin_client(seeds)
        try:
            connection.admin.command("ping")
        except PyMongoError as error:
            connection.close()
            if code_of(error) != AUTHENTICATION_FAILED:
                self.fail(f"{self.name} has no primary that can be reached: {error}")
            self.create_admin()
            connection = self.admin_client(seeds)
        return connection

    def create_admin(self) -> None:
        """Creates the administrator through the localhost exception, which is open until the set has a user."""
        user = self.module.params["login_user"]
        if self.module.check_mode:
            self.changes.append(f"would create {user}")
            self.finish(None)
        try:
            password = self.module.params["login_password"]
            localhost_exception.create_root(self.local, user, password, self.deadline, self.tls)
        except PyMongoError as error:
            reason = str(error)
            if code_of(error) == UNAUTHORIZED:
                reason = "it already has users and rejects this password: these secrets belong to another cluster"
            self.fail(f"{self.name} rejects {user}, and the user can't be created on {self.local}: {reason}")
        self.changes.append(f"created {user}")

    # -- keeping it as listed

    def converge(self, connection: MongoClient[Document], greetings: dict[str, Document | None]) -> None:
        """Reconfigures step by step until members and settings are as listed."""
        if self.module.check_mode:
            self.would_converge(members.config(connection))
            return
        self.refuse_unknown_members(members.config(connection), greetings)
        while True:
            config = members.config(connection)
            step = plan.next_step(config, self.wanted, self.settings)
            if step is None:
                return
            try:
                if step.removed and step.removed == members.primary(connection):
                    connection.admin.command("replSetStepDown", 60, secondaryCatchUpPeriodSecs=30)
                    continue
                connection.admin.command("replSetReconfig", step.config, maxTimeMS=30_000)
            except PyMongoError as error:
                if time.monotonic() > self.deadline or (code_of(error) or 189) not in members.PLAN_AGAIN:
                    self.fail(f"{self.name}: can't {self.describe(step)}: {error}")
                time.sleep(0.2)
                continue
            self.changes.append(self.describe(step))
            self.wait_until_committed(connection, step)

    def refuse_unknown_members(self, config: Document, greetings: dict[str, Document | None]) -> None:
        """Fails if an unknown member belongs to a second set of the same name."""
        known = plan.hosts(config)
        for host in plan.initialised(self.name, greetings):
            others = (greetings[host] or {}).get("hosts", [])
            if host not in known and not set(others) & set(known):
                self.refuse(
                    f"{host} belongs to another set of that name ({', '.join(others)}), not to {', '.join(known)}"
                )

    def wait_until_committed(self, connection: MongoClient[Document], step: plan.Step) -> None:
        """Waits until a majority has the new configuration and the new member, if any, has its data."""
        if not wait_for(lambda: members.settled(connection, step.added), self.deadline):
            self.fail(f"{self.name}: {self.describe(step)}, but the set hasn't settled: {members.states(connection)}")

    def wait_until_healthy(self, connection: MongoClient[Document]) -> str | None:
        """Waits until every listed member is primary or secondary; returns the primary."""
        if self.module.check_mode:
            return members.primary(connection)

        def healthy() -> bool:
            return not members.unhealthy(connection, self.wanted) and members.primary(connection) is not None

        if not wait_for(healthy, self.deadline):
            self.fail(f"{self.name} isn't healthy: {members.unhealthy(connection, self.wanted) or 'no primary'}")
        return members.primary(connection)

    def check_exception_closed(self) -> None:
        """Fails if the localhost exception is open: anyone on the host could create an administrator."""
        if self.module.check_mode:
            return
        try:
            still_open = localhost_exception.is_open(self.local, self.tls)
        except PyMongoError as error:
            self.fail(f"can't tell whether the localhost exception of {self.local} is closed: {error}")
        if still_open:
            self.fail(f"{self.local} answers administrators' commands without a login: its localhost exception is open")

    # -- login and results

    def admin_client(self, seeds: list[str]) -> MongoClient[Document]:
        return client(
            seeds,
            replica_set=self.name,
            user=self.module.params["login_user"],
            password=self.module.params["login_password"],
            tls=self.tls,
            selection_seconds=max(1.0, self.deadline - time.monotonic()) if not self.module.check_mode else 15,
        )

    def would_initiate(self) -> NoReturn:
        self.changes.append(f"would initiate {self.name} with {', '.join(self.wanted)}")
        self.finish(None)

    def would_converge(self, config: Document) -> None:
        while step := plan.next_step(config, self.wanted, self.settings):
            self.changes.append(f"would {self.describe(step)}")
            config = step.config

    def describe(self, step: plan.Step) -> str:
        if step.added:
            return f"add {step.added}"
        return f"remove {step.removed}" if step.removed else f"set {self.settings}"

    def refuse(self, found: str) -> NoReturn:
        """Fails on a difference that the module must not fix, showing both sides."""
        self.fail(
            f"The inventory says that {', '.join(self.wanted)} are replica set {self.name}, but {found}. "
            "Nothing was changed: correct the inventory, or move that data away yourself."
        )

    def fail(self, message: str) -> NoReturn:
        self.module.fail_json(msg=message, changed=bool(self.changes), changes=self.changes)

    def finish(self, primary: str | None) -> NoReturn:
        self.module.exit_json(
            changed=bool(self.changes),
            changes=self.changes,
            primary=primary,
            diff={
                "before": {"name": self.name, "members": sorted(self.before)},
                "after": {"name": self.name, "members": sorted(self.wanted), "changes": self.changes},
            }
            if self.changes
            else {},
        )


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "members": {"type": "list", "elements": "str", "required": True},
            "local_member": {"type": "str", "required": True},
            "configsvr": {"type": "bool", "default": False},
            "settings": {"type": "dict", "default": {}},
            "login_user": {"type": "str", "required": True},
            "login_password": {"type": "str", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 180},
            **tls_arguments(),
        },
        supports_check_mode=True,
    )
    require_pymongo(module)
    if module.params["local_member"] not in module.params["members"]:
        module.fail_json(msg="local_member must be one of members")
    try:
        ReplicaSet(module).run()
    except PyMongoError as error:
        module.fail_json(msg=f"replica set {module.params['name']}: {error}")


if __name__ == "__main__":
    main()
