"""`python -m ops`: what the Makefile's cluster targets call."""

from __future__ import annotations

import argparse
import os
import sys

from ops import hosts, inventory, secrets, source
from ops.settings import LOCAL_SUBNETS, Settings, SettingsError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ops", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    part = commands.add_parser("hosts", help="only the hosts, their secrets and the inventory (for tests of roles)")
    part.add_argument("action", choices=("up", "down"))
    part.add_argument("--env", choices=sorted(LOCAL_SUBNETS))
    arguments = parser.parse_args()
    variables = dict(os.environ) | ({"ENV": arguments.env} if arguments.env else {})
    try:
        settings = Settings.read(variables)
    except SettingsError as error:
        print(f"Refused, nothing was changed:\n{error}", file=sys.stderr)
        return 2
    if arguments.action == "down":
        for name in hosts.down(settings.env):
            print(f"removed {name}")
        return 0
    secrets.ensure(settings.env)
    hosts.up(settings.env, settings.hosts, settings.subnet)
    print(inventory.write(settings, source.offline()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
