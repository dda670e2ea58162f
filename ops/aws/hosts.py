"""The hosts that Terraform made: where they are, what they are, and the way in."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ops import children
from ops.aws.state import open_state
from ops.errors import OpsError
from ops.paths import secrets_dir
from ops.progress import Say, quiet

ANSWER_SECONDS = 300  # from a new instance's start to its first log-in takes AWS 20 to 60 s
_CONNECT_SECONDS = 5


class HostError(OpsError):
    """A host doesn't let us in; the message holds its name and ssh's own reason."""


@dataclass(frozen=True)
class Ec2Host:
    """An instance: `groups` are the inventory's, `public_ip` its Elastic IP."""

    name: str
    instance_id: str
    public_ip: str
    private_ip: str
    groups: tuple[str, ...]


def of_outputs(outputs: dict[str, Any]) -> list[Ec2Host]:
    """The hosts among Terraform's outputs, by name."""
    return [
        Ec2Host(name, host["instance_id"], host["public_ip"], host["private_ip"], tuple(host["groups"]))
        for name, host in sorted(outputs.get("hosts", {}).items())
    ]


def of_state(env: str) -> list[Ec2Host]:
    """The hosts in the state as it is. Raises OpsError when there are none."""
    hosts = of_outputs(open_state(env).outputs())
    if not hosts:
        raise OpsError(f"there is no cluster {env}; `make cluster-up ENV={env}` builds one")
    return hosts


def ssh_options(env: str, alias: str) -> list[str]:
    """ssh's options for an instance; `alias` is its id, or what Ansible replaces by it.

    Keys are known by the instance: a rebuilt host is a new acquaintance, and one whose key changed an impostor.
    """
    known = f"UserKnownHostsFile={secrets_dir(env) / 'known_hosts'}"
    return ["-o", f"HostKeyAlias={alias}", "-o", "StrictHostKeyChecking=accept-new", "-o", known]


def ssh_command(env: str, host: Ec2Host, *options: str) -> list[str]:
    """The ssh command line that logs in to the host; its last part is the destination."""
    identity = ["-i", str(secrets_dir(env) / "ssh_key"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
    return ["ssh", *identity, *ssh_options(env, host.instance_id), *options, f"ubuntu@{host.public_ip}"]


def wait_until_reachable(env: str, hosts: list[Ec2Host], say: Say = quiet) -> None:
    """Waits until every host lets us in. Raises HostError after ANSWER_SECONDS."""
    for host in hosts:  # they boot at the same time
        _wait(env, host, say)


def _wait(env: str, host: Ec2Host, say: Say) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    command = ssh_command(env, host, "-o", f"ConnectTimeout={_CONNECT_SECONDS}")
    while (result := children.run([*command, "true"])).returncode != 0:
        if time.monotonic() > deadline or "REMOTE HOST IDENTIFICATION HAS CHANGED" in result.stderr:
            raise HostError(
                f"{host.name} ({host.public_ip}) doesn't let ubuntu in: {result.stderr.strip()}\n"
                "Is this machine's public address among admin_cidrs, and secrets/aws/ssh_key the cluster's?"
            )
        say(f"waiting for {host.name}: {' '.join(result.stderr.split())}")
        time.sleep(1)  # refused at once while sshd isn't up yet
