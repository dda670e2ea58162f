#!/usr/bin/python
"""Ansible module: check that a MongoDB process answers and accepts a login. See DOCUMENTATION."""

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
    tls_options,
    wait_for,
)

DOCUMENTATION = r"""
module: mongodb_login
short_description: Wait for a MongoDB process and try a login
description:
  - Waits until the process answers, then tries the login if one is given. Changes nothing.
  - C(community.mongodb.mongodb_user) can't compare passwords. This module can.
options:
  timeout:
    description: Seconds to wait for an answer.
    type: int
    default: 60
extends_documentation_fragment: [action_common_attributes, mongodb_process, mongodb_tls]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
author: [Film Library]
"""

EXAMPLES = r"""
- name: Wait until the router answers
  mongodb_login:
    login_port: "{{ mongos_port }}"
"""

RETURN = r"""
accepted:
  description: Whether the process accepted the login. False if none was given.
  type: bool
  returned: success
primary:
  description: Whether the process takes writes. A router always does.
  type: bool
  returned: success
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
    tls = tls_options(module)
    greeting = wait_for(lambda: hello(address, tls), time.monotonic() + options["timeout"])
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
