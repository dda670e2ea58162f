#!/usr/bin/python
"""Ansible module: set kernel parameters where the machine allows it. See DOCUMENTATION."""

from __future__ import annotations

import errno
import glob
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kernel_settings
short_description: Set kernel parameters and files below /sys where the machine allows it
description:
  - Writes each value that differs. Returns the settings that a container can't write, or that the kernel or machine
    doesn't have, with the reasons, instead of failing.
  - Sets values now only. Write the files that set them at boot yourself.
  - C(ansible.posix.sysctl) isn't used because it only knows C(/proc/sys), and fails or is silent if it
    can't set a value.
options:
  settings:
    description:
      - Maps each setting to its value. A setting is a kernel parameter's name, or a path or pattern such as
        C(/sys/block/nvme*/queue/read_ahead_kb).
    type: dict
    required: true
  minimums:
    description: Whole numbers to raise settings to. Larger values are left alone.
    type: dict
    default: {}
extends_documentation_fragment: [action_common_attributes]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
  platform: {platforms: linux}
author: [Film Library]
"""

EXAMPLES = r"""
- name: Keep the kernel from swapping out a database
  kernel_settings:
    settings:
      vm.swappiness: 1
"""

RETURN = r"""
skipped_settings:
  description: Maps the path of each setting that can't be set to the reason.
  type: dict
  returned: always
  sample: {/proc/sys/vm/swappiness: "read-only here, stays 60"}
exceeded_minimums:
  description: The O(minimums) that the machine's own value exceeds. An equal value may be the work of an earlier run.
  type: list
  elements: str
  returned: always
  sample: [fs.file-max]
"""

#: Errors that describe the machine rather than a fault.
_NOT_HERE = {errno.EROFS: "read-only here", errno.EACCES: "not permitted", errno.EPERM: "not permitted"}


def pattern(setting: str) -> str:
    """The path or pattern of a setting, which may be a kernel parameter's name."""
    return setting if setting.startswith("/") else f"/proc/sys/{setting.replace('.', '/')}"


def current(path: str) -> str:
    """The current value. In a list of choices the kernel puts it in brackets."""
    text = Path(path).read_text().strip()
    return text.partition("[")[2].partition("]")[0] if "[" in text else text


def refusal(path: str) -> str | None:
    """Why the file can't be written. None if it can. Only opens it, which changes nothing."""
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
    for setting, value in {**module.params["settings"], **minimums}.items():
        paths = sorted(glob.glob(pattern(setting)))
        if not paths:
            skipped[pattern(setting)] = "no such device or setting here"
        for path in paths:
            if (now := current(path)) == str(value):
                continue
            if setting in minimums and int(now) > int(value):
                exceeded.append(setting)
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
