#!/usr/bin/python
"""Ansible module: find systemd units that don't run or need a restart. See DOCUMENTATION."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: systemd_unit_state
short_description: Find systemd units that don't run or need a restart
description:
  - Reads the state of many units in one task, so that an unchanged run doesn't have to start each of them.
  - A running unit needs a restart if one of its files is newer than its last start or reload, or its program was
    replaced. For a symbolic link, the time of the link itself counts.
  - Keeps no state of its own, so no restart is lost when a run is interrupted. Changes nothing.
options:
  units:
    description: Maps each unit to the files that it reads when it starts.
    type: dict
    required: true
extends_documentation_fragment: [action_common_attributes]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
author: [Film Library]
"""

EXAMPLES = r"""
- name: Read the members' state
  systemd_unit_state:
    units:
      mongod@shard1.service: [/etc/mongod/shard1.conf]
  register: members
"""

RETURN = r"""
down:
  description: Units that don't run or aren't started at boot.
  type: list
  elements: str
  returned: always
up:
  description: Units that run or are started at boot.
  type: list
  elements: str
  returned: always
stale:
  description: Maps each running unit that needs a restart to the reason.
  type: dict
  returned: always
  sample: {mongod@shard1.service: /etc/mongod/shard1.conf is newer than the running process}
"""

_PROPERTIES = "ActiveState,UnitFileState,StateChangeTimestamp,MainPID"


def properties(module: AnsibleModule, unit: str) -> dict[str, str]:
    """The unit's properties. A unit that systemd doesn't know is inactive."""
    command = ["systemctl", "show", unit, "--timestamp=us+utc", f"--property={_PROPERTIES}"]
    _, output, _ = module.run_command(command, check_rc=True)
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def changed_at(state: dict[str, str]) -> float:
    """When the unit last became active (start, restart, reload), as Unix time in seconds."""
    _, day, time, _ = state["StateChangeTimestamp"].split()  # Sun 2026-11-22 09:38:29.123456 UTC
    return datetime.fromisoformat(f"{day}T{time}+00:00").timestamp()


def staleness(state: dict[str, str], files: list[str]) -> str | None:
    """Why the unit needs a restart. None if it doesn't, or doesn't run."""
    if state.get("ActiveState") != "active":
        return None
    for file in map(Path, files):
        if (file.exists() or file.is_symlink()) and file.lstat().st_mtime > changed_at(state):
            return f"{file} is newer than the running process"
    # The kernel's mark for a program that was replaced by a package upgrade. A socket has no process.
    pid = state.get("MainPID", "0")
    if pid != "0" and str(Path(f"/proc/{pid}/exe").readlink()).endswith(" (deleted)"):
        return "its program was replaced"
    return None


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(argument_spec={"units": {"type": "dict", "required": True}}, supports_check_mode=True)
    result: dict[str, Any] = {"down": [], "up": [], "stale": {}}
    for unit, files in module.params["units"].items():
        state = properties(module, unit)
        running = state.get("ActiveState") in ("active", "activating", "reloading")
        enabled = state.get("UnitFileState") == "enabled"
        if not (running and enabled):
            result["down"].append(unit)
        if running or enabled:
            result["up"].append(unit)
        if why := staleness(state, files):
            result["stale"][unit] = why
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
