"""Everything that would make a run fail half-way, looked for before anything is changed and told all at once.

Standard library only: bin/bootstrap runs it with the system's Python, before it installs anything.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path

from ops import system
from ops.aws import tfvars
from ops.containers import Container, containers
from ops.errors import OpsError
from ops.paths import ROOT
from ops.settings import Settings, SettingsError

#: Resident memory of an idle mongod with a small cache (140 MiB measured) and some work.
MONGOD_MB = 200
#: systemd, sshd and so on of one host (17 MB measured); the router's apps; the controller's Ansible.
HOST_MB, APPS_MB, CONTROLLER_MB = 30, 300, 400
#: An empty mongod's journal and files, and mongod itself on each host; image, mirror and downloads once.
MONGOD_DISK_MB, HOST_DISK_MB, ONCE_DISK_MB = 350, 300, 2500

TERRAFORM_VERSION = (1, 9)  # the least: variables that validate each other

#: Terraform's variables that `make` gives, and how to tell it.
_MAKES_OWN = {
    "topology": "told by TOPOLOGY=...",
    "shard_count": "told by SHARDS=...",
    "member_count": "told by MEMBERS=...",
    "environment": "told by ENV=...",
    "cluster_id": "made up by make, in secrets/aws",
    "public_key": "made by make, in secrets/aws",
}

#: What runs write below the clone.
WRITTEN = (".cache", ".venv", "build", "logs", "secrets")
CONTAINER_STORAGE = Path("/var/lib/containers")


def check(variables: Mapping[str, str]) -> Settings:
    """The settings, when this machine can do what they ask for. Raises SettingsError with every problem."""
    try:
        settings = Settings.read(variables)
    except SettingsError as error:
        # The variables that were understood are enough to look at the machine as well.
        raise SettingsError(error.problems + machine_problems(error.partial), error.partial) from None
    problems = machine_problems(settings)
    if problems:
        raise SettingsError(problems, settings)
    return settings


def machine_problems(settings: Settings) -> list[str]:
    """What on this machine stands in the way."""
    problems = path_problems(ROOT)
    if settings.env == "aws":
        return problems + terraform_problems(terraform_version()) + settings_problems(settings.env)
    try:
        system.of_hosts()
    except system.UnfitError as error:
        return [*problems, str(error)]  # the rest asks what only Linux knows
    there: dict[str, Container] = {}
    if can_be_root():
        there = existing(settings)
    else:
        problems.append("no root: run as root, or as a user whose sudo asks for no password (`make dev` needs neither)")
    problems += host_problems(settings, there)
    if not there:
        routes = Path("/proc/net/route").read_text()
        problems += subnet_problems(settings.subnet, routes)
        problems += memory_problems(settings, _available_mb())
        problems += disk_problems(settings, {path: free_mb(path) for path in (ROOT, CONTAINER_STORAGE)})
    return problems


def path_problems(root: Path) -> list[str]:
    """Whether the clone lies where a tool would misread its path, or can't be written to."""
    # A colon separates paths in PATH and in podman's volumes; the others mean something inside ssh_config's quotes.
    found = sorted({character for character in str(root) if character in ':"$\\' or not character.isprintable()})
    if found:
        return [f"{root}: move the clone to a path without {' '.join(map(repr, found))}"]
    places = (root, *(root / name for name in WRITTEN if (root / name).exists()))
    return [
        f"{place}: not writable for you; a run as root made it, or it is read-only (sudo chown -R $USER '{place}')"
        for place in places
        if not os.access(place, os.W_OK)
    ]


def terraform_version() -> tuple[int, ...] | None:
    """The installed Terraform's, or None."""
    if shutil.which("terraform") is None:
        return None
    output = subprocess.run(["terraform", "version"], check=False, capture_output=True, text=True).stdout
    found = re.search(r"Terraform v(\d+)\.(\d+)\.(\d+)", output)
    return tuple(map(int, found.groups())) if found else None


def terraform_problems(version: tuple[int, ...] | None) -> list[str]:
    """Whether Terraform is there."""
    least = ".".join(map(str, TERRAFORM_VERSION))
    if version is None:
        return [f"terraform: not found; install {least} or later, from developer.hashicorp.com/terraform/install"]
    if version[:2] < TERRAFORM_VERSION:
        return [f"terraform: {'.'.join(map(str, version))} is too old, must be {least} or later"]
    return []


def settings_problems(env: str) -> list[str]:
    """Whether people said what only they can say, and nothing that `make` says."""
    name, settings = tfvars.path_of(env).relative_to(ROOT), tfvars.read(env)
    problems = [f"{name}: {key} is {teller}" for key, teller in _MAKES_OWN.items() if key in settings]
    if "admin_cidrs" not in settings and "TF_VAR_admin_cidrs" not in os.environ:
        problems.append(f"admin_cidrs: not set; copy {name}.example to {name} and fill it in")
    return problems


def can_be_root() -> bool:
    """Whether commands can run as root without a question: children run apart from the terminal."""
    if os.geteuid() == 0:
        return True
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0


def existing(settings: Settings) -> dict[str, Container]:
    """The environment's hosts by name."""
    if shutil.which("podman") is None:
        return {}
    return containers(settings.env)


def host_problems(settings: Settings, existing: dict[str, Container]) -> list[str]:
    """Hosts of an earlier run that this layout leaves out, that lie in another subnet, or that another copy made.

    A host is never just forgotten: its members are still in the replica sets, under a name that nobody would know.
    """
    planned = {host.name for host in settings.hosts}
    problems = [
        f"TOPOLOGY={settings.topology} SHARDS={settings.shards} MEMBERS={settings.members}: leaves out the host "
        f"{name} of the running cluster; keep its values, or run `make cluster-down ENV={settings.env}` first"
        for name in sorted(existing.keys() - planned)
    ]
    others = sorted({container.copy for container in existing.values()} - {str(ROOT)})
    problems += [
        f"ENV={settings.env}: its hosts were made by the clone in {other}, which has their secrets; "
        f"work there, or remove them by `make cluster-down ENV={settings.env}` here or there"
        for other in others
    ]
    subnets = {IPv4Network(f"{container.address}/24", strict=False) for container in existing.values()}
    if subnets - {settings.subnet}:
        problems.append(f"SUBNET={settings.subnet}: the running hosts are in {min(subnets - {settings.subnet})}")
    return problems


def subnet_problems(subnet: IPv4Network, routes: str) -> list[str]:
    """Whether a route of the machine (the text of /proc/net/route) leads into the subnet already."""
    for line in routes.splitlines()[1:]:
        interface, destination, _, flags, _, _, _, mask, *_ = line.split()
        network = IPv4Network((_little_endian(destination), bin(int(mask, 16)).count("1")))
        if network.prefixlen > 0 and int(flags, 16) & 1 and network.overlaps(subnet):
            return [f"SUBNET={subnet}: taken by {interface} ({network}); must be a free /24 such as 10.200.70.0/24"]
    return []


def memory_problems(settings: Settings, available_mb: int) -> list[str]:
    needed = settings.mongods * MONGOD_MB + len(settings.hosts) * HOST_MB + APPS_MB + CONTROLLER_MB
    if needed <= available_mb:
        return []
    sizes = f"{settings.mongods} mongods on {len(settings.hosts)} hosts"
    return [f"memory: {sizes} need {needed} MB, {available_mb} MB are available; lower SHARDS or MEMBERS"]


def disk_problems(settings: Settings, free_mb: Mapping[Path, int]) -> list[str]:
    needed = settings.mongods * MONGOD_DISK_MB + len(settings.hosts) * HOST_DISK_MB + ONCE_DISK_MB
    return [f"disk: {needed} MB needed, {path} has {free} MB free" for path, free in free_mb.items() if free < needed]


def _little_endian(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text), "little")


def _available_mb() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) // 1024


def free_mb(path: Path) -> int:
    """Megabytes that are free where a path is, or will be."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free // 2**20


def main() -> None:
    """Exits with 2 and the problems on stderr, or warns of an untested system at most."""
    try:
        settings = check(os.environ)
        if settings.env != "aws" and (warning := system.of_hosts().warning):
            print(warning, file=sys.stderr)
    except SettingsError as error:
        print(refusal(error), file=sys.stderr)
        sys.exit(2)
    except OpsError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


def refusal(error: SettingsError) -> str:
    """The message that a person sees."""
    return "Refused, nothing was changed:\n" + "\n".join(f"  {problem}" for problem in error.problems)
