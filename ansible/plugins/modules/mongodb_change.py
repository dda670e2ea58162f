#!/usr/bin/python
"""Ansible module: begin and end a change of a running sharded cluster. See DOCUMENTATION."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import NoReturn

from ansible.module_utils import change_lock
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.change_lock import Lock
from ansible.module_utils.mongodb_client import (
    Document,
    MongoClient,
    PyMongoError,
    code_of,
    login,
    login_arguments,
    require_pymongo,
    wait_for,
)

DOCUMENTATION = r"""
module: mongodb_change
short_description: Begin and end a change of a running sharded cluster
description:
  - At the beginning, takes the cluster's lock, so that nobody else changes it; stops the balancer, and waits until no
    chunk and no collection is being moved.
  - At the end, starts the balancer if the beginning has stopped it, and releases the lock. Changes nothing if the lock
    isn't the holder's.
  - The lock says who changes the cluster and since when. That of a run that died is taken over by the same holder at
    once, by others once it is old, or with O(force). What it knew of the balancer is kept.
  - In check mode only looks whether somebody else has the lock.
options:
  state:
    description: Whether the change begins or ends.
    type: str
    required: true
    choices: [begun, ended]
  verb:
    description: What is done, for who finds the lock.
    type: str
    required: true
  holder:
    description: Who does it. Runs with the same holder must exclude each other.
    type: str
    required: true
  stale_hours:
    description: Hours after which another holder's lock counts as that of a dead run.
    type: int
    default: 6
  force:
    description: Take another holder's lock over at once.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for migrations to end.
    type: int
    default: 120
extends_documentation_fragment: [action_common_attributes, mongodb_process, mongodb_tls]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
author: [Film Library]
"""

EXAMPLES = r"""
- name: Begin
  mongodb_change:
    state: begun
    verb: cluster-restart
    holder: ann@laptop:/srv/film-library
    login_port: 27100
    login_user: cluster-admin
    login_password: "{{ cluster_admin_password }}"
"""

RETURN = r"""
taken_over:
  description: The lock of a dead run that was taken over.
  type: str
  returned: at the beginning, if there was one
refused:
  description: Whether somebody else has the lock.
  type: bool
  returned: at the beginning, if so
held:
  description: Whether the lock was the holder's.
  type: bool
  returned: at the end
"""

#: What config servers keep while data moves (MongoDB's manual, "Config Database").
MOVES = {"migrations": "a chunk is being moved", "reshardingOperations": "a collection is being resharded"}


#: How long balancerStop itself may wait for the balancer's round: less long than a client waits for an answer.
BALANCER_STOP_MS = 5_000
MAX_TIME_EXPIRED = 50


def begin(module: AnsibleModule, connection: MongoClient[Document]) -> NoReturn:
    """Takes the lock and waits until nothing moves; exits the module."""
    options = module.params
    found, at = change_lock.read(connection), change_lock.now()
    stale = timedelta(hours=options["stale_hours"])
    if said := change_lock.refusal(found, options["holder"], at, stale, force=options["force"]):
        module.fail_json(msg=said, refused=True)
    result = {"taken_over": str(found)} if found else {}
    if module.check_mode:
        module.exit_json(changed=False, **result)
    running = connection.admin.command("balancerStatus")["mode"] == "full"
    lock = Lock(options["verb"], options["holder"], at, running or bool(found and found.balancer_stopped))
    if not change_lock.take(connection, lock, found):
        module.fail_json(msg=f"another change has just begun: {change_lock.read(connection)}")
    if running:
        stop_balancer(connection)
    deadline = time.monotonic() + options["timeout"]
    if not wait_for(lambda: not moves(connection), deadline, pause=0.5):
        module.fail_json(msg=f"after {options['timeout']} s still {'; '.join(moves(connection))}", changed=True)
    module.exit_json(changed=True, **result)


def stop_balancer(connection: MongoClient[Document]) -> None:
    """Turns it off. Its present round may go on, see `moves`."""
    try:
        connection.admin.command("balancerStop", maxTimeMS=BALANCER_STOP_MS)
    except PyMongoError as error:
        if code_of(error) != MAX_TIME_EXPIRED:
            raise


def moves(connection: MongoClient[Document]) -> list[str]:
    """One sentence for each kind of move that is under way."""
    found = [f"{said}: {one['_id']}" for name, said in MOVES.items() if (one := connection.config[name].find_one())]
    if connection.admin.command("balancerStatus")["inBalancerRound"]:
        found.append("the balancer is at work")
    return found


def end(module: AnsibleModule, connection: MongoClient[Document]) -> NoReturn:
    """Starts the balancer again and releases the lock; exits the module."""
    lock = change_lock.read(connection)
    own = lock is not None and lock.holder == module.params["holder"]
    if lock is not None and own and not module.check_mode:
        if lock.balancer_stopped:
            connection.admin.command("balancerStart")
        change_lock.release(connection, lock)
    module.exit_json(changed=own, held=own)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "required": True, "choices": ["begun", "ended"]},
            "verb": {"type": "str", "required": True},
            "holder": {"type": "str", "required": True},
            "stale_hours": {"type": "int", "default": 6},
            "force": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 120},
            **login_arguments(),
        },
        supports_check_mode=True,
    )
    require_pymongo(module)
    try:
        with login(module) as connection:
            (begin if module.params["state"] == "begun" else end)(module, connection)
    except PyMongoError as error:
        module.fail_json(msg=f"{module.params['verb']}: {error}")


if __name__ == "__main__":
    main()
