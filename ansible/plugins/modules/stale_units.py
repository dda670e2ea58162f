#!/usr/bin/python
"""Ansible module: which units run with older files than those on disk? See DOCUMENTATION."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: stale_units
short_description: Find systemd units that need a restart to take their files into account
description:
  - Compares the start of every running unit with the change of its files, and sees a program that was replaced
    under a running process. Nothing is remembered, so an interrupted run loses no restart. Changes nothing.
options:
  units:
    description: "Unit -> the files that it reads at its start. A unit that doesn't run is never stale."
    type: dict
    required: true
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Find members that run on an old configuration
  stale_units:
    units:
      mongod@shard1.service: [/etc/mongod/shard1.conf]
  register: stale
"""

RETURN = r"""
stale: {description: Unit -> why it needs a restart, type: dict, returned: always}
"""


def reason(module: AnsibleModule, unit: str, files: list[str]) -> str | None:
    """Why the unit needs a restart; None when it doesn't, or doesn't run."""
    command = ["systemctl", "show", unit, "--timestamp=unix", "--property=ExecMainStartTimestamp,MainPID"]
    _, output, _ = module.run_command(command, check_rc=True)
    properties = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    pid = properties.get("MainPID", "0")
    if pid == "0":
        return None
    started = int(properties["ExecMainStartTimestamp"].lstrip("@"))
    for file in map(Path, files):
        if file.exists() and int(file.stat().st_mtime) > started:
            return f"{file} was changed after the start"
    # The kernel marks the program of a process so once a package upgrade has replaced the file.
    if str(Path(f"/proc/{pid}/exe").readlink()).endswith(" (deleted)"):
        return "its program was replaced"
    return None


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(argument_spec={"units": {"type": "dict", "required": True}}, supports_check_mode=True)
    reasons = {unit: reason(module, unit, files) for unit, files in module.params["units"].items()}
    module.exit_json(changed=False, stale={unit: why for unit, why in reasons.items() if why})


if __name__ == "__main__":
    main()
