"""Ansible filter: why a volume can't be used. See DOCUMENTATION."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DOCUMENTATION = r"""
name: volume_problems
short_description: List the reasons why a volume can't be formatted or mounted
description:
  - Refuses everything that formatting would destroy or mounting would hide.
options:
  _input:
    description: Path of the block device.
    type: str
    required: true
  mount_point:
    description: Where the volume belongs.
    type: str
    required: true
  content:
    description: What C(blkid) found, such as a file system's type. Empty if it found no signature.
    type: str
    required: true
  blank:
    description: Whether the beginning of a volume without a signature is all zeros.
    type: bool
    required: true
  mounts:
    description: Where the device is mounted, as C(findmnt) prints it.
    type: list
    elements: str
    required: true
  hidden:
    description: Paths in the mount point's directory, which mounting would hide.
    type: list
    elements: str
    required: true
author: [Film Library]
"""

EXAMPLES = r"""
- name: Refuse an unusable volume
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join('. ') }}"
  vars:
    problems: "{{ '/dev/sdf' | volume_problems('/data', content='ext4', blank=false, mounts=[], hidden=[]) }}"
"""

RETURN = r"""
_value:
  description: One sentence for each problem.
  type: list
  elements: str
"""


def volume_problems(
    device: str, mount_point: str, *, content: str, blank: bool, mounts: list[str], hidden: list[str]
) -> list[str]:
    """One sentence for each reason why the volume can't be used."""
    problems = []
    if content not in ("", "xfs"):
        problems.append(
            f"{device} holds {content}, not XFS. It isn't overwritten: name the right device, or wipe this one"
            " yourself (wipefs --all)"
        )
    elif not blank:
        problems.append(
            f"{device} has no signature that blkid knows, but is not blank. It isn't overwritten: name the right"
            " device, or zero the beginning of this one yourself"
        )
    if mounts:
        problems.append(f"{device} is mounted ({', '.join(mounts)}), but belongs at {mount_point} alone")
    elif hidden:
        problems.append(
            f"{mount_point} already has content that {device} would hide: {', '.join(hidden)}. Move it away yourself"
        )
    return problems


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"volume_problems": volume_problems}
