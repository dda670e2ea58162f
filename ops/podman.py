"""Podman, run as root, with its own configuration that fits the machine."""

from __future__ import annotations

import os
import resource
import subprocess
from functools import cache
from pathlib import Path

from ops import children
from ops.errors import OpsError
from ops.paths import CACHE

_CONF = CACHE / "containers.conf"
_CAP_SYS_RESOURCE = 24  # bit in CapBnd, linux/capability.h
_CGROUPS = Path("/sys/fs/cgroup")


class PodmanError(OpsError):
    """Podman failed; the message has the command and its output."""


def as_root(*command: str) -> list[str]:
    """The command, with sudo unless this user is root."""
    if os.geteuid() == 0:
        return list(command)
    # sudo drops proxy variables, and may not be allowed to keep them, so ask only if there is a proxy.
    names = [name for name in os.environ if name.lower().endswith("_proxy")]
    behind_proxy = any(name.lower() != "no_proxy" for name in names)
    return ["sudo", "-n", *([f"--preserve-env={','.join(names)}"] if behind_proxy else []), *command]


def run(*args: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `podman ARGS`. Raises PodmanError if it fails and `check` is set."""
    # Not in /etc, so that the machine's own podman setup stays as it is.
    _write_configuration()
    command = as_root("env", f"CONTAINERS_CONF={_CONF}", "podman", *args)
    result = children.run(command, stdin=stdin)
    if check and result.returncode != 0:
        raise PodmanError(f"podman {' '.join(args[:3])} ...: {result.stderr.strip() or result.stdout.strip()}")
    return result


@cache
def _write_configuration() -> None:
    lines = ["[containers]"]
    if not _has_capability(_CAP_SYS_RESOURCE):
        # Podman's default limits exceed the hard limits, and crun can't raise those without the capability.
        nofile = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        nproc = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        pid_max = int(Path("/proc/sys/kernel/pid_max").read_text())
        if nproc == resource.RLIM_INFINITY or nproc > pid_max:
            nproc = pid_max  # podman lowers its own limit to this before starting a container
        lines.append(f'default_ulimits = ["nofile={nofile}:{nofile}", "nproc={nproc}:{nproc}"]')
    lines += ["[engine]", 'runtime = "crun"', 'events_logger = "file"']
    if not Path("/run/systemd/system").exists():
        lines.append('cgroup_manager = "cgroupfs"')
    text = "\n".join(lines) + "\n"
    if not _CONF.exists() or _CONF.read_text() != text:
        _CONF.parent.mkdir(parents=True, exist_ok=True)
        _CONF.write_text(text)


def _has_capability(bit: int) -> bool:
    """Whether root has the capability: it is in the bounding set, which applies to sudo, too."""
    status = Path("/proc/self/status").read_text()
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    return bool(int(bounding, 16) >> bit & 1)


def prepare() -> None:
    """Enables this machine to run systemd in containers; does nothing if it already can.

    Mounts all controllers that a hybrid setup left on cgroup2 as v1, because crun refuses a mixture. Only machines
    without an init system need this; where cgroup2 is the only hierarchy, there is no `unified`.
    """
    controllers = _CGROUPS / "unified" / "cgroup.controllers"
    if not controllers.exists():
        return
    for name in controllers.read_text().split():
        _mount_cgroup_v1(name, name)
    _mount_cgroup_v1("systemd", "none,name=systemd")


def _mount_cgroup_v1(name: str, options: str) -> None:
    target = _CGROUPS / name
    if target.is_mount():
        return
    subprocess.run(as_root("mkdir", "-p", str(target)), check=True)
    subprocess.run(as_root("mount", "-t", "cgroup", "-o", options, "cgroup", str(target)), check=True)
