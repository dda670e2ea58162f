"""Documentation of the options that `mongodb_client.login_arguments` defines."""

from __future__ import annotations


class ModuleDocFragment:
    """The part that the modules talking to one process share."""

    DOCUMENTATION = r"""
options:
  login_host:
    description: Host of the process.
    type: str
    default: localhost
  login_port:
    description: Port of the process.
    type: int
    required: true
  login_user:
    description: User to log in as. Its authentication database is C(admin).
    type: str
  login_password:
    description: The user's password.
    type: str
  login_other_password:
    description: Used if O(login_password) isn't accepted, while one replaces the other.
    type: str
requirements:
  - pymongo
"""
