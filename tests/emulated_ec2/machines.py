"""The machines: a system container for each instance, from its launch until it is terminated."""

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
# NET_*: an instance's root may do what it likes to its own network. SYS_ADMIN: file systems, and the view of them
# that systemd gives hardened units. SYS_PTRACE: `ss -p` names other users' processes.
_CAPABILITIES = ("NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE")
#: Seconds in which an instance has to shut down before it is switched off; EC2 waits some minutes.
_SHUTDOWN_SECONDS = 60

# Podman mounts these over the container's own, so the guest could neither replace them nor keep what it wrote.
_OWN_FILES = "umount /etc/hostname /etc/resolv.conf\n"
# What cloud-init does on the first boot.
_FIRST_BOOT = """
echo "$1" > /etc/hostname
echo "nameserver $2" > /etc/resolv.conf
install -m 0600 -o ubuntu -g ubuntu /dev/null ~ubuntu/.ssh/authorized_keys
echo "$3" > ~ubuntu/.ssh/authorized_keys
"""
# The parts of the kernel and of udev when a volume comes or goes: its number and its id, and the minor number.
# A file system that is made later gets its link at the next boot; udev would notice at once.
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
    """The name of the image that instances start from, built when its inputs changed."""
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
    """Removes every machine, also of an earlier process."""
    names = podman.run("ps", "--all", "--format", "{{.Names}}", "--filter", f"name=^{PREFIX}").stdout.split()
    if names:
        podman.run("rm", "--force", "--volumes", "--time", "0", *names)


class Machine:
    """The machine of one instance. Its methods may be called from several threads, one at a time for each machine."""

    _indexes: Iterator[int] = count()
    _lock = Lock()

    def __init__(self, instance: Instance, ami: str) -> None:
        """Makes the machine, switched off. Its network namespace must be there. Raises podman.PodmanError."""
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
        """Switches the machine on, with these volumes; comes back before the system is up. Raises volumes.BusyError."""
        for attachment in attachments:
            self._take(attachment)
        podman.run("init", self._name)  # all of the container but its first process
        self._inside(_OWN_FILES)
        if not self._booted_before:
            self._inside(_FIRST_BOOT, _hostname(self._instance), RESOLVER, self._instance.public_key or "")
        for volume_id in self._devices:
            self._show(volume_id)
        podman.run("start", self._name)
        self._booted_before = True

    def plug(self, attachment: Attachment) -> None:
        """Gives the volume to the running machine. Raises volumes.BusyError."""
        self._take(attachment)
        self._show(attachment.volume_id)

    def unplug(self, volume_id: str) -> None:
        """Takes the volume from the running machine. Raises volumes.BusyError while it is mounted."""
        volumes.detach(volume_id)
        if number := self._devices.pop(volume_id, None):
            self._inside(_UNPLUG, str(number))

    def shut_down(self) -> None:
        """Asks the system to shut down and waits until it has; then its volumes are free for others."""
        podman.run("stop", "--time", str(_SHUTDOWN_SECONDS), self._name)
        for volume_id in self._devices:
            volumes.detach(volume_id)
        self._devices.clear()

    def discard(self) -> None:
        """Removes the machine, which is off, with its root file system."""
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
        """Runs a shell script as this machine's root with the machine's files and processes in view."""
        process = json.loads(podman.run("inspect", self._name).stdout)[0]["State"]["Pid"]
        enter = ["nsenter", f"--target={process}", "--mount", "--pid", "--root", "--wd=/"]
        root(*enter, "sh", "-e", "-c", script, "sh", *arguments)


def _hostname(instance: Instance) -> str:
    return "ip-" + instance.private_address.replace(".", "-")
