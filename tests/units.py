"""What systemd says of a unit."""

from __future__ import annotations

import shlex

from testinfra.host import Host


def properties(host: Host, unit: str) -> dict[str, str]:
    """All properties of a unit, as `systemctl show` prints them."""
    lines = host.check_output("systemctl show --all %s", unit).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def log(host: Host, unit: str) -> str:
    """The end of a unit's journal, for the message of a failed assertion; its times show restarts."""
    command = f"journalctl --no-pager --output=short-precise --lines=20 --unit={shlex.quote(unit)}"
    return str(host.run(command).stdout)


def exposure(host: Host, unit: str) -> float:
    """systemd's own rating of what a unit may do, from 0 (nothing) to 10 (everything)."""
    last = host.check_output("systemd-analyze security --no-pager %s", unit).strip().splitlines()[-1]
    return float(last.split(":")[1].split()[0])
