"""The hosts of an environment that is there: what each of them is, and how the controller reaches its processes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from ops import ssh
from ops.aws import account, instances
from ops.aws import hosts as ec2
from ops.errors import OpsError
from ops.paths import build_dir
from ops.topology import ports_of


@dataclass(frozen=True)
class Fleet:
    """`addresses` are where a person reaches the hosts, `groups` the inventory's.

    `endpoint(host, port)` is what a MongoDB client of the controller's connects to.
    """

    addresses: Mapping[str, str]
    groups: Mapping[str, list[str]]
    endpoint: Callable[[str, int], str]


@contextmanager
def reach(env: str) -> Iterator[Fleet]:
    """The environment's fleet. Raises OpsError when there is none."""
    if not (build_dir(env) / "inventory.yml").exists():
        raise OpsError(f"there is no cluster {env}; `make cluster-up ENV={env}` builds one")
    if env == "aws":
        with _through_ssh(env) as fleet:
            yield fleet
    else:
        yield _local(env)


def _local(env: str) -> Fleet:
    inventory = yaml.safe_load((build_dir(env) / "inventory.yml").read_text())["all"]
    addresses = {name: host["ansible_host"] for name, host in inventory["hosts"].items()}
    groups = {group: list(value["hosts"]) for group, value in inventory["children"].items()}
    return Fleet(addresses, groups, lambda host, port: f"{addresses[host]}:{port}")


@contextmanager
def _through_ssh(env: str) -> Iterator[Fleet]:
    """Members answer nobody outside the cluster, so each process is reached from its own host's loopback interface.

    A host that ssh can't reach has endpoints all the same: nothing listens there, as on the host itself.
    """
    hosts = ec2.of_state(env)
    with account.errors():
        states = instances.states(account.region(), [host.instance_id for host in hosts])
    if set(states.values()) == {"stopped"}:
        raise OpsError(f"every instance of {env} is stopped; `make cluster-start ENV={env}` starts them")
    groups: dict[str, list[str]] = {}
    for host in hosts:
        for group in host.groups:
            groups.setdefault(group, []).append(host.name)
    with ssh.socket_directory() as directory, ExitStack() as stack:

        def endpoint(host: str, port: int) -> str:
            return quote(f"{directory}/{host}-{port}.sock", safe="")

        def forward(host: ec2.Ec2Host) -> None:
            control = Path(directory) / f"{host.name}.ctl"
            sockets = [f"{directory}/{host.name}-{port}.sock:127.0.0.1:{port}" for port in ports_of(host.groups)]
            command = ec2.ssh_command(env, host, "-S", str(control))
            # -f comes back when every forward listens: nothing to wait for afterwards.
            options = ["-f", "-N", "-M", "-o", "ControlPersist=no"]
            forwards = [option for socket in sockets for option in ("-L", socket)]
            _call([*command[:-1], *options, *forwards, command[-1]])
            stack.callback(_call, [*command[:-1], "-O", "exit", command[-1]])

        with ThreadPoolExecutor(max_workers=16) as pool:
            list(pool.map(forward, hosts))
        yield Fleet({host.name: host.public_ip for host in hosts}, groups, endpoint)


def _call(command: list[str]) -> None:
    # Not pipes: the process that stays behind would keep them open.
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, check=False, **quiet)
