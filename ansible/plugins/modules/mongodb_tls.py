#!/usr/bin/python
"""Ansible module: change a running MongoDB process's TLS mode and certificate. See DOCUMENTATION."""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_client import PyMongoError, login, login_arguments, require_pymongo, wait_for
from ansible.module_utils.mongodb_tls import certificate_of, tls_state

DOCUMENTATION = r"""
module: mongodb_tls
short_description: Change a running MongoDB process's TLS mode and certificate
description:
  - Takes up the certificate's file if the process shows another one, and raises its TLS mode. Neither restarts
    anything nor closes connections.
  - The mode goes up only, from C(allowTLS) to C(preferTLS) to C(requireTLS), as MongoDB allows it. A process that
    has a higher one keeps it.
options:
  mode:
    description: Lowest mode that the process should have. Left alone by default.
    type: str
    choices: [preferTLS, requireTLS]
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
    mode: preferTLS
    certificate_file: /etc/ssl/film-library/mongodb.pem
    login_port: "{{ item.port }}"
    login_user: shard-admin
    login_password: "{{ shard_admin_password }}"
    login_ca_file: /etc/ssl/film-library/ca.pem
    login_certificate_file: /etc/ssl/film-library/mongodb.pem
"""

RETURN = r"""
mode:
  description: The process's TLS mode before.
  type: str
  returned: success
rotated:
  description: Whether the process took up the certificate's file.
  type: bool
  returned: success
"""

MODES = ["disabled", "allowTLS", "preferTLS", "requireTLS"]
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


def raise_mode(module: AnsibleModule, admin: Any) -> tuple[str, bool]:
    """Raises the mode step by step. Returns the mode before, and whether it changes."""
    before = admin.command("getParameter", tlsMode=1)["tlsMode"]
    present, wanted = MODES.index(before), MODES.index(module.params["mode"] or before)
    if before == "disabled" and wanted > present:
        module.fail_json(msg=f"Port {module.params['login_port']} runs without TLS; only a restart changes that")
    if not module.check_mode:
        for mode in MODES[present + 1 : wanted + 1]:
            admin.command("setParameter", tlsMode=mode)
    return before, wanted > present


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "mode": {"type": "str", "choices": MODES[2:]},
            "certificate_file": {"type": "path", "required": True},
            **login_arguments(),
        },
        supports_check_mode=True,
        required_together=[("login_user", "login_password")],
    )
    require_pymongo(module)
    try:
        with login(module) as connection:
            before, raised = raise_mode(module, connection.admin)
            rotated = rotate(module, connection.admin)
    except (PyMongoError, OSError, ValueError) as error:
        module.fail_json(msg=f"Port {module.params['login_port']}: {error}")
    module.exit_json(changed=raised or rotated, mode=before, rotated=rotated)


if __name__ == "__main__":
    main()
