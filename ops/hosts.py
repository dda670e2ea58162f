"""Local hosts: podman containers with systemd, reached over ssh like cloud instances.

Each environment has its own names and network, so several can run side by side.
"""

from __future__ import annotations

import os
import time
from ipaddress import IPv4Network

from ops import image, podman, secrets, ssh
from ops.containers import Container, container_name, containers, exists, network_name
from ops.mirror import MIRROR, MOUNT
from ops.paths import ROOT
from ops.progress import Say, quiet
from ops.topology import Host

BOOT_SECONDS = 60  # booting takes about 1 s; more on a busy machine

# NET_*: firewall rules and fault drills. SYS_ADMIN: systemd needs it to give hardened units their own view of the file
# system; without it, it silently starts them unhardened. SYS_PTRACE: `ss -p` shows other users' processes.
_CAPABILITIES = ("NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE")

#: Block devices for new hosts, as MACHINE'S:HOST'S separated by spaces; Molecule tests data volumes with it.
DEVICES_VARIABLE = "HOST_DEVICES"

#: The stage of the image for new hosts; Molecule tests the roles from bare ones.
STAGE_VARIABLE = "HOST_STAGE"


# A degraded host (a unit failed) has booted, too; the roles repair it.
_ADMIT = """
case $(systemctl is-system-running --wait) in running | degraded) ;; *) exit 1 ;; esac
umask 077 && cat > ~root/.ssh/authorized_keys && cat /etc/ssh/ssh_host_ed25519_key.pub
"""


def up(env: str, hosts: list[Host], subnet: IPv4Network, say: Say = quiet) -> None:
    """Creates the environment's network and hosts, starts stopped ones, and authorizes its ssh key.

    Hosts that aren't in the list are left alone. Raises ssh.HostError, ImageError or PodmanError.
    """
    podman.prepare()
    existing = containers(env)
    stage = os.environ.get(STAGE_VARIABLE, image.READY)
    # A lost host is recreated from the image of the others, even if the image or HOST_SUITE has changed since.
    tag = next((host.image for host in existing.values()), "") or image.ensure(say, stage)
    directory = secrets.ensure_ssh_key(env)
    MIRROR.mkdir(parents=True, exist_ok=True)
    if not exists(env):
        # Without podman's DNS, which sometimes stalls for seconds; the role `base` provides names.
        podman.run(
            *["network", "create", "--disable-dns", "--opt", "mtu=1400", "--subnet", str(subnet)],
            *["--gateway", str(subnet.network_address + 1), network_name(env)],
        )
    say("starting hosts")
    for host in hosts:
        _start(env, host, existing.get(host.name), tag)
    public_key = (directory / "ssh_key.pub").read_text()
    host_keys = [_wait_and_admit(env, host, public_key) for host in hosts]  # they boot in parallel
    secrets.write_private(directory / "known_hosts", "".join(host_keys), replace=True)
    ssh.name_hosts(env, {host.name: (host.address, host.address) for host in hosts})
    for host in hosts:
        ssh.wait_until_admitted(host.name, ssh_command(env, host), say=say)


def down(env: str) -> list[str]:
    """Removes the environment's hosts and network; returns the names of those removed."""
    podman.prepare()
    removed = [container_name(env, name) for name in sorted(containers(env))]
    if removed:
        podman.run("rm", "--force", "--volumes", "--time", "0", *removed)
    if exists(env):
        podman.run("network", "rm", "--force", network_name(env))
        removed.append(network_name(env))
    return removed


def _start(env: str, host: Host, existing: Container | None, tag: str) -> None:
    name = container_name(env, host.name)
    match existing.state if existing else "absent":
        case "running":
            return
        case "paused":
            podman.run("unpause", name)
        case "exited" | "stopped":
            podman.run("start", name)
        case _:  # absent, or left half-made by an interrupted run
            podman.run("rm", "--force", "--volumes", name, check=False)
            _create(env, host, tag)


def _create(env: str, host: Host, tag: str) -> None:
    octets = [int(octet) for octet in host.address.split(".")]
    podman.run(
        *["run", "--detach", "--pull=never", "--systemd=always", "--http-proxy=false"],
        *["--label", f"film-library-env={env}", "--label", f"film-library-address={host.address}"],
        *["--label", f"film-library-copy={ROOT}"],
        *["--name", container_name(env, host.name), "--hostname", host.name],
        *["--network", network_name(env), "--ip", host.address],
        # Fixed: after a restart with a new one, peers couldn't reach the host for 20 s.
        *["--mac-address", "02:42:" + ":".join(f"{octet:02x}" for octet in octets)],
        # The role `base` manages /etc/hosts; podman would overwrite it at every start.
        *["--no-hosts", "--volume", f"{MIRROR}:{MOUNT}:ro"],
        *[f"--cap-add={capability}" for capability in _CAPABILITIES],
        *[f"--device={device}" for device in os.environ.get(DEVICES_VARIABLE, "").split()],
        tag,
    )


def _wait_and_admit(env: str, host: Host, public_key: str) -> str:
    """Waits until the host has booted and authorizes the key; returns the host's line for known_hosts."""
    deadline = time.monotonic() + BOOT_SECONDS
    while True:
        command = ["exec", "--interactive", container_name(env, host.name), "sh", "-c", _ADMIT]
        result = podman.run(*command, stdin=public_key, check=False)
        if result.returncode == 0:
            kind, key, *_ = result.stdout.split()
            return f"{host.address} {kind} {key}\n"
        if time.monotonic() > deadline:
            raise ssh.HostError(f"{host.name} didn't boot within {BOOT_SECONDS} s: {result.stderr.strip()}")
        time.sleep(0.1)


def ssh_command(env: str, host: Host) -> list[str]:
    """The ssh command that opens a shell on the host."""
    return ssh.command(env, host.address)
