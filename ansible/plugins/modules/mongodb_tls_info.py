#!/usr/bin/python
"""Ansible module: how this host's MongoDB processes use TLS. See DOCUMENTATION."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_client import require_pymongo
from ansible.module_utils.mongodb_tls import certificate_of, tls_state

DOCUMENTATION = r"""
module: mongodb_tls_info
short_description: Find out how this host's MongoDB processes use TLS
description:
  - Connects to each port with and without TLS. Needs no login and changes nothing. Ports where nothing answers are
    left out.
options:
  ports:
    description: Ports of the processes.
    type: list
    elements: int
    required: true
  certificate_file:
    description: Certificate that the processes should show.
    type: path
    required: true
extends_documentation_fragment: [action_common_attributes]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
author: [Film Library]
requirements:
  - pymongo
"""

EXAMPLES = r"""
- name: Look at the member
  mongodb_tls_info:
    ports: "{{ mongod_members | map(attribute='port') }}"
    certificate_file: /etc/ssl/film-library/mongodb.pem
"""

RETURN = r"""
plain:
  description: Ports that accept connections without TLS.
  type: list
  elements: int
  returned: success
without_tls:
  description: Ports that accept no connection with TLS.
  type: list
  elements: int
  returned: success
outdated:
  description: Ports that accept TLS with another certificate than the file's.
  type: list
  elements: int
  returned: success
"""


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "ports": {"type": "list", "elements": "int", "required": True},
            "certificate_file": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    require_pymongo(module)
    try:
        states = {port: state for port in module.params["ports"] if (state := tls_state(port))}
        secured = {port: state.certificate for port, state in states.items() if state.tls}
        # Without TLS there may be no file yet.
        wanted = certificate_of(module.params["certificate_file"]) if secured else None
    except (OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        plain=[port for port, state in states.items() if state.plain],
        without_tls=[port for port in states if port not in secured],
        outdated=[port for port, certificate in secured.items() if certificate != wanted],
    )


if __name__ == "__main__":
    main()
