#!/usr/bin/python
"""Ansible module: does a MongoDB process answer, and does it take a log-in? See DOCUMENTATION."""

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_client import (
    AUTHENTICATION_FAILED,
    PyMongoError,
    code_of,
    hello,
    login,
    login_arguments,
    require_pymongo,
    wait_for,
)

DOCUMENTATION = r"""
module: mongodb_login
short_description: Ask a MongoDB process whether it answers and takes a log-in
description:
  - Waits until the process answers, then tries the log-in where one is given. Changes nothing.
  - community.mongodb.mongodb_user can't tell whether a password differs; this can.
options:
  timeout: {description: Seconds to wait for an answer, type: int, default: 60}
  login_host: {description: Host of the process, type: str, default: localhost}
  login_port: {description: Port of the process, type: int, default: 27017}
  login_user: {description: User to try, type: str}
  login_password: {description: The user's password, type: str}
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Wait until the router answers
  mongodb_login:
    login_port: 27017
"""

RETURN = r"""
accepted: {description: Whether the log-in was accepted; false without one, type: bool, returned: success}
primary: {description: Whether the process takes writes (a router always does), type: bool, returned: success}
"""


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={"timeout": {"type": "int", "default": 60}, **login_arguments()},
        supports_check_mode=True,
        required_together=[("login_user", "login_password")],
    )
    require_pymongo(module)
    options = module.params
    address = f"{options['login_host']}:{options['login_port']}"
    greeting = wait_for(lambda: hello(address), time.monotonic() + options["timeout"])
    if greeting is None:
        module.fail_json(msg=f"{address} doesn't answer within {options['timeout']} s")
    accepted = False
    if options["login_user"]:
        try:
            with login(module) as connection:
                connection.admin.command("ping")
            accepted = True
        except PyMongoError as error:
            if code_of(error) != AUTHENTICATION_FAILED:
                module.fail_json(msg=f"{address}: {error}")
    module.exit_json(changed=False, accepted=accepted, primary=bool(greeting.get("isWritablePrimary")))


if __name__ == "__main__":
    main()
