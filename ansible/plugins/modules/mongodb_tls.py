#!/usr/bin/python
"""Ansible module: let a running MongoDB process use TLS, with the right certificate. See DOCUMENTATION."""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_client import PyMongoError, login, login_arguments, require_pymongo, wait_for
from ansible.module_utils.mongodb_tls import certificate_of, tls_state

DOCUMENTATION = r"""
module: mongodb_tls
short_description: Let a running MongoDB process use TLS, with the right certificate
description:
  - Takes up the certificate's file if the process shows another one, and raises its TLS mode. Neither restarts
    anything nor closes connections.
options:
  prefer_tls:
    description:
      - Raise the mode C(allowTLS) to C(preferTLS), in which the process connects to others with TLS. Higher modes stay.
      - Only a restart gets a process from C(disabled) to C(allowTLS), and to C(requireTLS) without leaving connections
        open that don't use TLS.
    type: bool
    default: false
  certificate_file:
    description: Certificate that the process should show; its configuration names this file.
    type: path
    required: true
extends_documentation_fragment: [action_common_attributes, mongodb_process, mongodb_tls]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
author: [Film Library]
"""

EXAMPLES = r"""
- name: Let the member connect to the others with TLS
  mongodb_tls:
    prefer_tls: true
    certificate_file: /etc/ssl/film-library/mongodb.pem
    login_port: "{{ item.port }}"
    login_user: shard-admin
    login_password: "{{ shard_admin_password }}"
    login_ca_file: /etc/ssl/film-library/ca.pem
    login_certificate_file: /etc/ssl/film-library/mongodb.pem
"""

RETURN = r"""
rotated:
  description: Whether the process took up the certificate's file.
  type: bool
  returned: success
"""

#: Seconds until a process shows the certificate that it took up.
ROTATION = 30


def rotate(module: AnsibleModule, admin: Any) -> bool:
    """Makes the process read its certificate again if it shows another one. Returns whether it did."""
    options = module.params
    wanted = certificate_of(options["certificate_file"])

    def shown() -> bool:
        state = tls_state(options["login_port"])
        return state is not None and state.certificate == wanted

    if shown():
        return False
    if not module.check_mode:
        admin.command("rotateCertificates")
        if not wait_for(shown, time.monotonic() + ROTATION):
            module.fail_json(
                msg=f"Port {options['login_port']} doesn't show the certificate of {options['certificate_file']}"
            )
    return True


def prefer_tls(module: AnsibleModule, admin: Any) -> bool:
    """Raises the mode allowTLS to preferTLS. Returns whether it does."""
    mode = admin.command("getParameter", tlsMode=1)["tlsMode"]
    if mode == "disabled":
        module.fail_json(msg=f"Port {module.params['login_port']} runs without TLS; only a restart changes that")
    if mode != "allowTLS":
        return False
    if not module.check_mode:
        admin.command("setParameter", tlsMode="preferTLS")
    return True


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "prefer_tls": {"type": "bool", "default": False},
            "certificate_file": {"type": "path", "required": True},
            **login_arguments(),
        },
        supports_check_mode=True,
        required_together=[("login_user", "login_password")],
    )
    require_pymongo(module)
    try:
        with login(module) as connection:
            raised = module.params["prefer_tls"] and prefer_tls(module, connection.admin)
            rotated = rotate(module, connection.admin)
    except (PyMongoError, OSError, ValueError) as error:
        module.fail_json(msg=f"Port {module.params['login_port']}: {error}")
    module.exit_json(changed=raised or rotated, rotated=rotated)


if __name__ == "__main__":
    main()
