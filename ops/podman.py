"""Podman, run as root, with a configuration of the project's own that fits the machine."""

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
    """Podman failed; the message holds the command and what it said."""


def as_root(*command: str) -> list[str]:
    """The command, by way of sudo when this user isn't root."""
    if os.geteuid() == 0:
        return list(command)
    # sudo drops the variables of proxies, and may not be allowed to keep them: only where there is a proxy.
    names = [name for name in os.environ if name.lower().endswith("_proxy")]
    behind_proxy = any(name.lower() != "no_proxy" for name in names)
    return ["sudo", "-n", *([f"--preserve-env={','.join(names)}"] if behind_proxy else []), *command]


def run(*args: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `podman ARGS`; raises PodmanError when it fails and `check` is set."""
    # The file is chosen by the environment, not written to /etc: the machine's own podman setup stays as it is.
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
        # Podman's default limits lie above the hard limits, and without the capability crun may not raise them.
        nofile = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        nproc = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        pid_max = int(Path("/proc/sys/kernel/pid_max").read_text())
        if nproc == resource.RLIM_INFINITY or nproc > pid_max:
            nproc = pid_max  # podman lowers its own limit to this before it starts the container
        lines.append(f'default_ulimits = ["nofile={nofile}:{nofile}", "nproc={nproc}:{nproc}"]')
    lines += ["[engine]", 'runtime = "crun"', 'events_logger = "file"']
    if not Path("/run/systemd/system").exists():
        lines.append('cgroup_manager = "cgroupfs"')
    text = "\n".join(lines) + "\n"
    if not _CONF.exists() or _CONF.read_text() != text:
        _CONF.parent.mkdir(parents=True, exist_ok=True)
        _CONF.write_text(text)


def _has_capability(bit: int) -> bool:
    """Whether root on this machine has it: the bounding set is what sudo's root gets too."""
    status = Path("/proc/self/status").read_text()
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    return bool(int(bounding, 16) >> bit & 1)


def prepare() -> None:
    """Makes this machine able to run systemd in a container; does nothing on one that already is.

    Mounts every controller that a hybrid set-up left on cgroup2 as v1, because crun refuses a mixture. Only a
    machine without an init system needs it; where cgroup2 is the whole tree there is no `unified`.
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
