"""Ansible filter: what a key file holds in each pass while its key is replaced. See DOCUMENTATION."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DOCUMENTATION = r"""
name: key_file_passes
short_description: What a key file must hold, pass by pass, while its key is replaced
description:
  - All processes accept both keys before one uses the new one, and use the new one before one forgets the old one.
    After each pass all processes restart.
  - A pass is written only after the restarts of the one before. So after an interruption it goes on with the latest
    pass that any host has.
options:
  _input:
    description: What the hosts' key files hold.
    type: list
    elements: str
    required: true
  old:
    description: The key that is replaced.
    type: str
    required: true
  new:
    description: The new key.
    type: str
    required: true
author: [Film Library]
"""

EXAMPLES = r"""
- name: Go through the passes
  ansible.builtin.include_tasks: pass.yml
  loop: "{{ contents | key_file_passes(old, new) }}"
"""

RETURN = r"""
_value:
  description: The contents of the passes that are left. With two keys it is a YAML list, whose first key is used.
  type: list
  elements: str
"""


def key_file_passes(found: list[str], old: str, new: str) -> list[str]:
    """The contents that are left to go through. Raises ValueError for one that is of no pass."""
    first, second = _plain(old), _plain(new)
    # The last as the role mongodb writes it, which would change it otherwise.
    passes = [first, f'- "{first}"\n- "{second}"\n', f'- "{second}"\n- "{first}"\n', second]
    if first == second:
        return passes[-1:]
    known = [_plain(content) for content in passes]
    if any(_plain(content) not in known for content in found):
        raise ValueError("a host has another key file than the one to replace")
    reached = max(known.index(_plain(content)) for content in found)
    return passes[max(reached, 1) :]


def _plain(text: str) -> str:
    return "".join(text.split())


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"key_file_passes": key_file_passes}
