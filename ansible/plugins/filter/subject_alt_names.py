"""Ansible filter: host names and addresses as a certificate's subject alternative names. See DOCUMENTATION."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

DOCUMENTATION = r"""
name: subject_alt_names
short_description: Mark host names and addresses for a certificate request
description:
  - A certificate names hosts and addresses as what they are. Who connects to an address accepts no host name for it.
options:
  _input:
    description: Host names and addresses. One that occurs twice is taken once.
    type: list
    elements: str
    required: true
author: [Film Library]
"""

EXAMPLES = r"""
- name: Print them
  ansible.builtin.debug:
    msg: "{{ ['db-1', '10.0.0.1'] | subject_alt_names }}"
"""

RETURN = r"""
_value:
  description: The names, for C(community.crypto.openssl_csr_pipe).
  type: list
  elements: str
  sample: ["DNS:db-1", "IP:10.0.0.1"]
"""


def subject_alt_names(names: Iterable[str]) -> list[str]:
    """`DNS:name` for host names, `IP:address` for addresses, in the same order."""
    return list(dict.fromkeys(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., object]]:
        return {"subject_alt_names": subject_alt_names}
