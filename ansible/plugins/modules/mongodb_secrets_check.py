#!/usr/bin/python
"""Ansible module: compare secrets with those that a host's MongoDB processes run with. See DOCUMENTATION."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils import localhost_exception
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_client import (
    AUTHENTICATION_FAILED,
    Document,
    PyMongoError,
    client,
    code_of,
    hello,
    require_pymongo,
    tls_arguments,
    tls_options,
)

DOCUMENTATION = r"""
module: mongodb_secrets_check
short_description: Compare secrets with those that a host's MongoDB processes run with
description:
  - Finds a key file and passwords that differ from the running cluster's, before anything is written. Changes nothing.
  - What doesn't run, or has no user yet, isn't compared.
options:
  key_file:
    description: The key file on the host.
    type: path
    required: true
  key_file_content:
    description: What it must hold, apart from white space.
    type: str
    required: true
  members:
    description: The members on this host, each with C(port) and C(cluster_role).
    type: list
    elements: dict
    default: []
  router_port:
    description: Port of the router on this host. V(0) if there is none.
    type: int
    default: 0
  admins:
    description: Administrators' names by cluster role.
    type: dict
    required: true
  users:
    description: Users of the router to compare, too.
    type: list
    elements: str
    default: []
  passwords:
    description: User -> password.
    type: dict
    required: true
requirements:
  - pymongo
extends_documentation_fragment: [action_common_attributes, mongodb_tls]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
author: [Film Library]
"""

EXAMPLES = r"""
- name: Compare the secrets
  mongodb_secrets_check:
    key_file: /etc/mongod/keyfile
    key_file_content: "{{ key }}"
    members: [{port: 27101, cluster_role: shardsvr}]
    admins: {shardsvr: shard-admin}
    passwords: {shard-admin: "{{ shard_admin_password }}"}
"""

RETURN = r"""
differences:
  description: One sentence for each secret that differs.
  type: list
  elements: str
  returned: always
  sample: [another key file, port 27101 rejects shard-admin's password]
"""


def another_key(file: Path, content: str) -> bool:
    """Whether the file exists and holds something else than the content, apart from white space."""
    return file.exists() and _joined(file.read_text()) != _joined(content)


def _joined(text: str) -> str:
    return "".join(text.split())


def accepted(address: str, user: str, password: str, tls: Document) -> bool | None:
    """Whether the process accepts a login. None if it can't tell, such as a router without config servers."""
    try:
        with client(address, user=user, password=password, tls=tls) as connection:
            connection.admin.command("ping")
    except PyMongoError as error:
        return False if code_of(error) == AUTHENTICATION_FAILED else None
    return True


def has_no_users(address: str, tls: Document) -> bool:
    """Whether a member still waits for its first user. One that can't tell counts as having some."""
    try:
        return localhost_exception.is_open(address, tls)
    except PyMongoError as error:
        return code_of(error) == 94  # NotYetInitialized: only whoever has the exception learns that


def way_to(address: str, module: AnsibleModule) -> Document | None:
    """With TLS, or without where a process doesn't know it yet. None if nothing answers."""
    return next((tls for tls in (tls_options(module), {}) if hello(address, tls)), None)


def of_member(module: AnsibleModule, member: Document) -> list[str]:
    """A sentence if the member rejects its administrator's password."""
    address, admin = f"localhost:{member['port']}", module.params["admins"][member["cluster_role"]]
    tls = way_to(address, module)
    if tls is None or accepted(address, admin, module.params["passwords"][admin], tls) is not False:
        return []
    return [] if has_no_users(address, tls) else [f"port {member['port']} rejects {admin}'s password"]


def of_router(module: AnsibleModule, port: int) -> list[str]:
    """One sentence for each user whose password the router rejects. Administrators' are compared by config servers."""
    address, admin, passwords = f"localhost:{port}", module.params["admins"]["configsvr"], module.params["passwords"]
    tls = way_to(address, module)
    if tls is None:
        return []
    try:
        with client(address, user=admin, password=passwords[admin], tls=tls) as connection:
            known = {user["user"] for user in connection.admin.command("usersInfo")["users"]}
    except PyMongoError:
        return []
    return [
        f"port {port} rejects {user}'s password"
        for user in module.params["users"]
        if user in known and accepted(address, user, passwords[user], tls) is False
    ]


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "key_file": {"type": "path", "required": True},
            "key_file_content": {"type": "str", "required": True, "no_log": True},
            "members": {"type": "list", "elements": "dict", "default": []},
            "router_port": {"type": "int", "default": 0},
            "admins": {"type": "dict", "required": True},
            "users": {"type": "list", "elements": "str", "default": []},
            "passwords": {"type": "dict", "required": True, "no_log": True},
            **tls_arguments(),
        },
        supports_check_mode=True,
    )
    require_pymongo(module)
    found = []
    if another_key(Path(module.params["key_file"]), module.params["key_file_content"]):
        found.append("another key file")
    for member in module.params["members"]:
        found += of_member(module, member)
    if module.params["router_port"]:
        found += of_router(module, module.params["router_port"])
    module.exit_json(changed=False, differences=found)


if __name__ == "__main__":
    main()
