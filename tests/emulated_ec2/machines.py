"""The machines: a system container for each instance from launch to termination."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Lock

from ops import image, podman
from tests.emulated_ec2 import volumes
from tests.emulated_ec2.filters import RESOLVER
from tests.emulated_ec2.network import namespace
from tests.emulated_ec2.shell import PREFIX, EmulationError, root
from tests.emulated_ec2.state import Attachment, Instance

_AMI = Path(__file__).with_name("ami")
_AMI_NAME = f"localhost/{PREFIX}ami"
# NET_*: an instance's root may change its own network. SYS_ADMIN: file systems, and systemd's hardened units.
# SYS_PTRACE: `ss -p` shows other users' processes.
_CAPABILITIES = ("NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE")
#: Seconds that an instance may take to shut down before it is killed; EC2 waits some minutes.
_SHUTDOWN_SECONDS = 60

# Podman mounts these files, so the guest couldn't replace them or keep changes.
_OWN_FILES = "umount /etc/hostname /etc/resolv.conf\n"
# What cloud-init does on the first boot.
_FIRST_BOOT = """
echo "$1" > /etc/hostname
echo "nameserver $2" > /etc/resolv.conf
install -m 0600 -o ubuntu -g ubuntu /dev/null ~ubuntu/.ssh/authorized_keys
echo "$3" > ~ubuntu/.ssh/authorized_keys
"""
# What the kernel and udev do when a volume is attached or detached. Arguments: its number, its id, the minor number.
# A file system created later gets its link at the next boot; udev would add it immediately.
_PLUG = """
mkdir -p /dev/disk/by-id /dev/disk/by-uuid
test -b "/dev/nvme$1n1" || mknod -m 0660 "/dev/nvme$1n1" b 7 "$3"
ln -sfn "../../nvme$1n1" "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_$2"
if uuid=$(blkid -p -o value -s UUID "/dev/nvme$1n1"); then ln -sfn "../../nvme$1n1" "/dev/disk/by-uuid/$uuid"; fi
"""
_UNPLUG = """
find /dev/disk -lname "../../nvme$1n1" -delete
rm -f "/dev/nvme$1n1"
"""


def build_image() -> str:
    """The name of the instances' image, built if its inputs changed."""
    base = image.ensure()
    files = sorted(_AMI.iterdir())
    digest = hashlib.sha256("\0".join([base, *(file.read_text() for file in files)]).encode()).hexdigest()[:12]
    name = f"{_AMI_NAME}:{digest}"
    if podman.run("image", "exists", name, check=False).returncode != 0:
        podman.run(
            "build", "-q", "--pull=never", "--format=docker", "--build-arg", f"BASE={base}", "-t", name, str(_AMI)
        )
        listing = podman.run("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={_AMI_NAME}")
        for former in set(listing.stdout.split()) - {name}:
            podman.run("rmi", former, check=False)
    return name


def remove() -> None:
    """Removes all machines, including an earlier process's."""
    names = podman.run("ps", "--all", "--format", "{{.Names}}", "--filter", f"name=^{PREFIX}").stdout.split()
    if names:
        podman.run("rm", "--force", "--volumes", "--time", "0", *names)


class Machine:
    """An instance's machine. Methods may be called from several threads, but one at a time per machine."""

    _indexes: Iterator[int] = count()
    _lock = Lock()

    def __init__(self, instance: Instance, ami: str) -> None:
        """Creates the machine without starting it. Its network namespace must exist. Raises podman.PodmanError."""
        self._name = f"{PREFIX}{instance.id}"
        self._instance = instance
        self._devices: dict[str, int] = {}  # number of the NVMe device, by volume
        with self._lock:
            self._index = next(self._indexes)
        minors = [volumes.minor(volumes.loop_number(self._index, n)) for n in range(1, volumes.DEVICES + 1)]
        podman.run(
            *["create", "--pull=never", "--systemd=always", "--name", self._name],
            *["--hostname", _hostname(instance), "--network", f"ns:/run/netns/{namespace(instance.id)}", "--no-hosts"],
            *[f"--cap-add={capability}" for capability in _CAPABILITIES],
            *[f"--device-cgroup-rule=b 7:{minor} rwm" for minor in minors],
            ami,
        )
        self._booted_before = False

    def boot(self, attachments: tuple[Attachment, ...]) -> None:
        """Starts the machine with these volumes; returns before it has booted. Raises volumes.BusyError."""
        for attachment in attachments:
            self._take(attachment)
        podman.run("init", self._name)  # everything except the container's first process
        self._inside(_OWN_FILES)
        if not self._booted_before:
            self._inside(_FIRST_BOOT, _hostname(self._instance), RESOLVER, self._instance.public_key or "")
        for volume_id in self._devices:
            self._show(volume_id)
        podman.run("start", self._name)
        self._booted_before = True

    def plug(self, attachment: Attachment) -> None:
        """Attaches a volume to the running machine. Raises volumes.BusyError."""
        self._take(attachment)
        self._show(attachment.volume_id)

    def unplug(self, volume_id: str) -> None:
        """Detaches a volume from the running machine. Raises volumes.BusyError while it is mounted."""
        volumes.detach(volume_id)
        if number := self._devices.pop(volume_id, None):
            self._inside(_UNPLUG, str(number))

    def shut_down(self) -> None:
        """Shuts the system down and detaches its volumes."""
        podman.run("stop", "--time", str(_SHUTDOWN_SECONDS), self._name)
        for volume_id in self._devices:
            volumes.detach(volume_id)
        self._devices.clear()

    def discard(self) -> None:
        """Removes the stopped machine and its root file system."""
        podman.run("rm", "--volumes", self._name)

    def _take(self, attachment: Attachment) -> None:
        free = sorted(set(range(1, volumes.DEVICES + 1)) - set(self._devices.values()))
        number = self._devices.get(attachment.volume_id) or next(iter(free), None)
        if number is None:
            raise EmulationError(f"{self._name}: an emulated instance has at most {volumes.DEVICES} data volumes")
        volumes.attach(attachment.volume_id, attachment.size_gib, volumes.loop_number(self._index, number))
        self._devices[attachment.volume_id] = number

    def _show(self, volume_id: str) -> None:
        number = self._devices[volume_id]
        minor = volumes.minor(volumes.loop_number(self._index, number))
        self._inside(_PLUG, str(number), volume_id.replace("-", ""), str(minor))

    def _inside(self, script: str, *arguments: str) -> None:
        """Runs a shell script as root in the machine's namespaces."""
        process = json.loads(podman.run("inspect", self._name).stdout)[0]["State"]["Pid"]
        enter = ["nsenter", f"--target={process}", "--mount", "--pid", "--root", "--wd=/"]
        root(*enter, "sh", "-e", "-c", script, "sh", *arguments)


def _hostname(instance: Instance) -> str:
    return "ip-" + instance.private_address.replace(".", "-")
