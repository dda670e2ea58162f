"""The fleet on EC2, whose MongoDB processes the controller reaches through ssh."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ops import ssh
from ops.aws import account, hosts, instances
from ops.errors import OpsError
from ops.fleet import Fleet, inventory_file
from ops.topology import ports_of


@contextmanager
def reach(env: str) -> Iterator[Fleet]:
    """Forwards a socket to each MongoDB process; members accept connections from the cluster only.

    A host that ssh can't reach has endpoints too, on which nothing listens. Raises OpsError when there is no cluster or
    every instance is stopped.
    """
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
    with ssh.socket_directory() as directory, ExitStack() as stack:

        def endpoint(host: str, port: int) -> str:
            return quote(f"{directory}/{host}-{port}.sock", safe="")

        def forward(host: hosts.Ec2Host) -> None:
            control = Path(directory) / f"{host.name}.ctl"
            sockets = [f"{directory}/{host.name}-{port}.sock:127.0.0.1:{port}" for port in ports_of(host.groups)]
            command = hosts.ssh_command(env, host, "-S", str(control))
            # -f returns once every forward is listening: no need to wait afterwards.
            options = ["-f", "-N", "-M", "-o", "ControlPersist=no"]
            forwards = [option for socket in sockets for option in ("-L", socket)]
            _call([*command[:-1], *options, *forwards, command[-1]])
            stack.callback(_call, [*command[:-1], "-O", "exit", command[-1]])

        with ThreadPoolExecutor(max_workers=16) as pool:
            list(pool.map(forward, found))
        yield Fleet({host.name: host.public_ip for host in found}, groups, endpoint)


def _call(command: list[str]) -> None:
    # No pipes: the background process would keep them open.
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, check=False, **quiet)
