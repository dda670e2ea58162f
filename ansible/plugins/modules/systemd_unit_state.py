#!/usr/bin/python
"""Ansible module: do units run, and with the files that are on disk now? See DOCUMENTATION."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: systemd_unit_state
short_description: Ask systemd units whether they run, and whether they need a restart
description:
  - One question for many units, so that a run that changes nothing doesn't ask for the start of each of them.
  - Compares the last start or reload of every running unit with the change of its files (of a symbolic link, its
    switch), and sees a program that was replaced under a running process. Nothing is remembered, so an interrupted
    run loses no restart. Changes nothing.
options:
  units:
    description: "Unit -> the files that it reads at its start."
    type: dict
    required: true
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Ask whether members run, and on which configuration
  systemd_unit_state:
    units:
      mongod@shard1.service: [/etc/mongod/shard1.conf]
  register: members
"""

RETURN = r"""
down: {description: Units that don't run or aren't started at boot, type: list, elements: str, returned: always}
up: {description: Units that run or are started at boot, type: list, elements: str, returned: always}
stale: {description: Running unit -> why it needs a restart, type: dict, returned: always}
"""

_PROPERTIES = "ActiveState,UnitFileState,StateChangeTimestamp,MainPID"


def properties(module: AnsibleModule, unit: str) -> dict[str, str]:
    """What systemd says of the unit; a unit that it doesn't know is inactive."""
    command = ["systemctl", "show", unit, "--timestamp=us+utc", f"--property={_PROPERTIES}"]
    _, output, _ = module.run_command(command, check_rc=True)
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def changed_at(state: dict[str, str]) -> float:
    """When the unit last became active (start, restart, reload), in seconds of Unix time."""
    _, day, time, _ = state["StateChangeTimestamp"].split()  # Sun 2026-11-22 09:38:29.123456 UTC
    return datetime.fromisoformat(f"{day}T{time}+00:00").timestamp()


def staleness(state: dict[str, str], files: list[str]) -> str | None:
    """Why the unit needs a restart; None when it doesn't, or doesn't run."""
    if state.get("ActiveState") != "active":
        return None
    for file in map(Path, files):
        if (file.exists() or file.is_symlink()) and file.lstat().st_mtime > changed_at(state):
            return f"{file} was changed after the start"
    # The kernel marks a process's program so once a package upgrade has replaced the file. A socket has no process.
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
