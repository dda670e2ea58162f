"""EBS volumes: loop devices over sparse files.

An instance has a few numbers of loop devices to itself from its launch on, because a container is told at its creation
which devices it may ever open.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.emulated_ec2.shell import PREFIX, EmulationError, root

_DIRECTORY = Path("/var/tmp") / f"{PREFIX}volumes"  # noqa: S108 - made by root, readable by root alone
_FIRST_LOOP = 200  # far above what `losetup --find` hands out to others
#: Data volumes that an instance can have at a time.
DEVICES = 4

# A device that is mounted somewhere can't be opened exclusively; `losetup --detach` would only promise to detach it.
_DETACH = """
import fcntl, os, sys
CLEAR, REMOVE = 0x4C01, 0x4C81  # LOOP_CLR_FD, LOOP_CTL_REMOVE of linux/loop.h
number = int(sys.argv[1])
try:
    device = os.open(f"/dev/loop{number}", os.O_RDWR | os.O_EXCL)
except OSError as error:
    sys.exit(f"busy: {error}")
fcntl.ioctl(device, CLEAR)
os.close(device)
fcntl.ioctl(os.open("/dev/loop-control", os.O_RDWR), REMOVE, number)
"""


class BusyError(EmulationError):
    """The volume is mounted, or still attached elsewhere; it can be tried again."""


def loop_number(index: int, device: int) -> int:
    """The loop device of the data device 1 to DEVICES of the instance with this index."""
    return _FIRST_LOOP + index * DEVICES + device - 1


def minor(number: int) -> int:
    """The minor number of a loop device: with partitions enabled, each takes a power of two of them."""
    most = Path("/sys/module/loop/parameters/max_part")
    return number << (int(most.read_text()) if most.exists() else 0).bit_length()


def attach(volume_id: str, size_gib: int, number: int) -> None:
    """Makes the volume the content of a loop device; a new volume is made, empty. Raises BusyError."""
    file = _DIRECTORY / volume_id
    bound = _bound()
    if bound.get(number) == file:
        return
    if file in bound.values():
        raise BusyError(f"{volume_id} is attached to another instance")
    root("mkdir", "-p", "-m", "0700", str(_DIRECTORY))
    root("truncate", f"--size=>{size_gib}G", str(file))  # never smaller: what is there is data
    root("losetup", f"/dev/loop{number}", str(file))


def detach(volume_id: str) -> None:
    """Frees the volume's loop device; does nothing when it has none. Raises BusyError while it is mounted."""
    for number, file in _bound().items():
        if file == _DIRECTORY / volume_id:
            try:
                root(sys.executable, "-c", _DETACH, str(number))
            except EmulationError as error:
                raise BusyError(str(error)) from error


def delete_all_but(volumes: Iterable[str]) -> None:
    """Deletes the files of volumes that are no more, but for those that a machine on its way down still mounts."""
    for name in set(root("ls", str(_DIRECTORY)).split() if _DIRECTORY.exists() else []) - set(volumes):
        with contextlib.suppress(BusyError):
            detach(name)
            root("rm", str(_DIRECTORY / name))


def remove() -> None:
    """Deletes every volume."""
    delete_all_but(())
    root("rm", "-rf", str(_DIRECTORY))


def _bound() -> dict[int, Path]:
    """The emulation's loop devices by number, with their files."""
    output = root("losetup", "--list", "--json", "--output", "NAME,BACK-FILE")
    entries = json.loads(output)["loopdevices"] if output.strip() else []
    files = {int(entry["name"].removeprefix("/dev/loop")): Path(entry["back-file"]) for entry in entries}
    return {number: file for number, file in files.items() if file.parent == _DIRECTORY}
