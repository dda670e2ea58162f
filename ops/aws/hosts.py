"""The hosts that Terraform created, and how to log in to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops import ssh
from ops.aws.state import open_state
from ops.errors import OpsError
from ops.progress import Say, quiet

BOOT_SECONDS = 300  # a new instance usually accepts log-ins after 20 to 60 s


@dataclass(frozen=True)
class Ec2Host:
    """An instance; `groups` are the inventory's, `public_ip` is its Elastic IP."""

    name: str
    instance_id: str
    public_ip: str
    private_ip: str
    groups: tuple[str, ...]


def of_outputs(outputs: dict[str, Any]) -> list[Ec2Host]:
    """The hosts in Terraform's outputs, sorted by name."""
    return [
        Ec2Host(name, host["instance_id"], host["public_ip"], host["private_ip"], tuple(host["groups"]))
        for name, host in sorted(outputs.get("hosts", {}).items())
    ]


def of_state(env: str) -> list[Ec2Host]:
    """The hosts in the state. Raises OpsError if there are none."""
    hosts = of_outputs(open_state(env).outputs())
    if not hosts:
        raise OpsError(f"there is no cluster {env}; `make cluster-up ENV={env}` builds one")
    return hosts


def ssh_command(env: str, host: Ec2Host, *options: str) -> list[str]:
    """The ssh command that logs in to the host; its last word is the destination."""
    return ssh.command(env, host.public_ip, *ssh.known_as(host.instance_id), *options)


def wait_until_reachable(env: str, hosts: list[Ec2Host], uptimes: Mapping[str, float], say: Say = quiet) -> None:
    """Waits until we can log in to every host; `uptimes` are seconds by instance id. Raises ops.ssh.HostError."""
    ssh.name_hosts(env, {host.name: (host.public_ip, host.instance_id) for host in hosts})
    for host in hosts:  # they boot at the same time
        try:
            command = ssh_command(env, host)
            rest = BOOT_SECONDS - uptimes[host.instance_id]
            ssh.wait_until_admitted(host.name, command, boot_seconds=rest, say=say)
        except ssh.HostError as error:
            raise ssh.HostError(
                f"{error}\nIs this machine's public address among admin_cidrs, and secrets/aws/ssh_key the cluster's? "
                "If you need a jump host, set SSH_JUMP."
            ) from error
