"""The fleet on EC2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ops.aws import account, hosts, instances
from ops.errors import OpsError
from ops.fleet import Fleet, forwarded, inventory_file
from ops.ssh import Remote


def backup_host(env: str) -> Remote:
    """The host that makes backups. Raises OpsError when there is no cluster."""
    host = next(host for host in hosts.of_state(env) if "web" in host.groups)
    return Remote(host.name, hosts.ssh_command(env, host), sudo=True)


@contextmanager
def reach(env: str) -> Iterator[Fleet]:
    """The cluster's hosts. Raises OpsError when there is no cluster or every instance is stopped."""
    inventory_file(env)
    found = hosts.of_state(env)
    with account.errors():
        states = instances.states(account.region(), [host.instance_id for host in found])
    if set(states.values()) == {"stopped"}:
        raise OpsError(f"every instance of {env} is stopped; `make cluster-start ENV={env}` starts them")
    groups: dict[str, list[str]] = {}
    for host in found:
        for group in host.groups:
            groups.setdefault(group, []).append(host.name)
    commands = {host.name: hosts.ssh_command(env, host) for host in found}
    with forwarded({host.name: host.public_ip for host in found}, groups, commands) as fleet:
        yield fleet
