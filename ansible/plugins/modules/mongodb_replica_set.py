#!/usr/bin/python
"""Ansible module: a replica set as the inventory describes it. See DOCUMENTATION."""

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
    wait_for,
)

DOCUMENTATION = r"""
module: mongodb_replica_set
short_description: Form a replica set with authentication on, and keep its members as listed
description:
  - Initiates the set with the member that the module runs beside (which elects itself at once), creates its
    administrator through the localhost exception, which closes the exception, then adds the other members.
  - On a set that exists, adds and removes members one at a time, each time waiting until the configuration is committed
    and a new member has its data. A set is initiated only while every listed member answers that it belongs to none.
  - Fails, showing both sides, for what can't be mended without losing data. It never wipes or re-initiates anything.
  - Ends when every listed member is primary or secondary. So it also serves as the wait after a restart.
  - community.mongodb.mongodb_replicaset isn't used because it can't initiate with authentication on and looks no
    further than the set's name once there is one.
options:
  name: {description: Name of the set, type: str, required: true}
  members: {description: "All members as host:port, names and no addresses", type: list, elements: str, required: true}
  local_member: {description: The one of I(members) that the module runs beside, type: str, required: true}
  configsvr: {description: Whether these are a cluster's config servers, type: bool, default: false}
  settings: {description: "Entries of the configuration's C(settings); others are left alone", type: dict, default: {}}
  login_user: {description: The set's administrator (role root), type: str, required: true}
  login_password: {description: The administrator's password, type: str, required: true}
  timeout: {description: Seconds for everything together, type: int, default: 180}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Form the replica set shard1
  mongodb_replica_set:
    name: shard1
    members: [mongo-1:27018, mongo-2:27018, mongo-3:27018]
    local_member: mongo-1:27018
    login_user: shard-admin
    login_password: "{{ shard_admin_password }}"
"""

RETURN = r"""
primary: {description: "The primary as host:port; null before the set exists", type: str, returned: success}
changes: {description: What was done or would be, in words, type: list, elements: str, returned: success}
"""


class ReplicaSet:
    """One run of the module: what it found, and what it did."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.name: str = module.params["name"]
        self.wanted: list[str] = module.params["members"]
        self.local: str = module.params["local_member"]
        self.settings: Document = module.params["settings"]
        self.deadline = time.monotonic() + module.params["timeout"]
        self.changes: list[str] = []
        self.before: list[str] = []

    def run(self) -> None:
        """Converges the set; ends the module."""
        greetings = members.survey(self.name, self.wanted, self.deadline, wait=not self.module.check_mode)
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
        """Initiates with the local member alone, over the localhost exception."""
        config = plan.initial(self.name, self.local, configsvr=self.module.params["configsvr"], settings=self.settings)
        try:
            localhost_exception.initiate(self.local, config)
        except PyMongoError as error:
            # It has users (so no localhost exception) or a configuration, and yet says that it is in no set.
            if code_of(error) in (ALREADY_INITIALIZED, UNAUTHORIZED):
                self.refuse(f"{self.local} holds the data of a set that it isn't a member of now ({error})")
            self.fail(f"{self.local} can't be initiated: {error}")
        self.before = []
        self.changes.append(f"initiated {self.name} with {self.local}")

    def log_in(self, seeds: list[str]) -> MongoClient[Document]:
        """A client of the primary as administrator, who is created where the set has no user yet."""
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
        """Creates the administrator through the localhost exception; it exists while the set has no user."""
        user = self.module.params["login_user"]
        if self.module.check_mode:
            self.changes.append(f"would create {user}")
            self.finish(None)
        try:
            localhost_exception.create_root(self.local, user, self.module.params["login_password"], self.deadline)
        except PyMongoError as error:
            reason = str(error)
            if code_of(error) == UNAUTHORIZED:
                reason = "it has users already, and refuses this password: these secrets are of another cluster"
            self.fail(f"{self.name} refuses {user}, and the user can't be created on {self.local}: {reason}")
        self.changes.append(f"created {user}")

    # -- keeping it as listed

    def converge(self, connection: MongoClient[Document], greetings: dict[str, Document | None]) -> None:
        """Reconfigures step by step until members and settings are as listed."""
        if self.module.check_mode:
            self.would_converge(members.config(connection))
            return
        self.refuse_strangers(members.config(connection), greetings)
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
                    self.fail(f"{self.name} refuses to {self.describe(step)}: {error}")
                time.sleep(0.2)
                continue
            self.changes.append(self.describe(step))
            self.wait_until_committed(connection, step)

    def refuse_strangers(self, config: Document, greetings: dict[str, Document | None]) -> None:
        """A member of a set of the same name that this set doesn't know was initiated by itself: two sets."""
        known = plan.hosts(config)
        for host in plan.initialised(self.name, greetings):
            others = (greetings[host] or {}).get("hosts", [])
            if host not in known and not set(others) & set(known):
                self.refuse(f"{host} belongs to another set of that name ({', '.join(others)}) than {', '.join(known)}")

    def wait_until_committed(self, connection: MongoClient[Document], step: plan.Step) -> None:
        """Waits until a majority has the new configuration and a new member has its data."""
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
        """Anyone on the host could make themselves administrator while the localhost exception is open."""
        if self.module.check_mode:
            return
        try:
            still_open = localhost_exception.is_open(self.local)
        except PyMongoError as error:
            self.fail(f"{self.local} doesn't say whether its localhost exception is closed: {error}")
        if still_open:
            self.fail(
                f"{self.local} answers administrators' commands without a log-in: its localhost exception is open"
            )

    # -- log-in and endings

    def admin_client(self, seeds: list[str]) -> MongoClient[Document]:
        return client(
            seeds,
            replica_set=self.name,
            user=self.module.params["login_user"],
            password=self.module.params["login_password"],
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
        """Ends the module over a difference that it must not mend, showing both sides."""
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
