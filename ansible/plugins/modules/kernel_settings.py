#!/usr/bin/python
"""Ansible module: write kernel settings now, and say which ones this machine doesn't let one set. See DOCUMENTATION."""

from __future__ import annotations

import errno
import glob
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kernel_settings
short_description: Set files below /proc/sys and /sys, reporting those that can't be set
description:
  - Writes each value unless it is there. What a container may not write, and what a kernel or machine doesn't have, is
    returned with the reason instead of failing. The files that set the same at boot are for a template to write.
  - ansible.posix.sysctl isn't used because it knows /proc/sys only and fails, or is silent about, what it can't set.
options:
  settings:
    description: "Path (may be a pattern such as C(/sys/block/nvme*/queue/read_ahead_kb)) -> value."
    type: dict
    required: true
  minimums:
    description: "The same for whole numbers that a machine may exceed: a value that is larger already is left alone."
    type: dict
    default: {}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Keep the kernel from swapping out a database
  kernel_settings:
    settings:
      /proc/sys/vm/swappiness: 1
"""

RETURN = r"""
skipped_settings: {description: Path -> why it isn't set, type: dict, returned: always}
exceeded_minimums:
  description: Paths whose value is larger than the minimum. One that equals it isn't among them, so that what a
    run has set is the same to the next one.
  type: list
  elements: str
  returned: always
"""

#: An answer to "may I write?" that describes the machine rather than a fault.
_NOT_HERE = {errno.EROFS: "read-only here", errno.EACCES: "not permitted", errno.EPERM: "not permitted"}


def current(path: str) -> str:
    """The value as it would be written: in a list of choices the kernel puts the chosen one in brackets."""
    text = Path(path).read_text().strip()
    return text.partition("[")[2].partition("]")[0] if "[" in text else text


def refusal(path: str) -> str | None:
    """Why the file can't be written; None when it can. Asks by opening it, which changes nothing."""
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError as error:
        return _NOT_HERE.get(error.errno or 0, os.strerror(error.errno or 0))
    return None


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "required": True},
            "minimums": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    minimums = module.params["minimums"]
    exceeded: list[str] = []
    skipped: dict[str, str] = {}
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for pattern, value in {**module.params["settings"], **minimums}.items():
        paths = sorted(glob.glob(pattern))
        if not paths:
            skipped[pattern] = "no such device or setting here"
        for path in paths:
            if (now := current(path)) == str(value):
                continue
            if pattern in minimums and int(now) > int(value):
                exceeded.append(path)
                continue
            if why := refusal(path):
                skipped[path] = f"{why}, stays {now}"
                continue
            before[path], after[path] = now, str(value)
    if not module.check_mode:
        for path, value in after.items():
            try:
                Path(path).write_text(value)
            except OSError as error:
                module.fail_json(msg=f"{path} can't be set to {value}: {error}", changed=path != next(iter(after)))
    diff = {"before": before, "after": after} if after else {}
    module.exit_json(changed=bool(after), skipped_settings=skipped, exceeded_minimums=exceeded, diff=diff)


if __name__ == "__main__":
    main()
