"""EBS volumes: loop devices over sparse files.

Each instance has its own range of loop devices, because a container's allowed devices are fixed when it is created.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.emulated_ec2.shell import PREFIX, EmulationError, root

_DIRECTORY = Path("/var/tmp") / f"{PREFIX}volumes"  # noqa: S108 - created by root, readable only by root
_FIRST_LOOP = 200  # far above those that `losetup --find` picks
#: Data volumes per instance at a time.
DEVICES = 4

# A mounted device can't be opened exclusively; `losetup --detach` would defer detaching it.
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
    """The volume is mounted or still attached elsewhere; try again later."""


def loop_number(index: int, device: int) -> int:
    """The loop device for the data device 1 to DEVICES of the instance with this index."""
    return _FIRST_LOOP + index * DEVICES + device - 1


def minor(number: int) -> int:
    """A loop device's minor number; with partitions enabled, each device takes a power of two of them."""
    most = Path("/sys/module/loop/parameters/max_part")
    return number << (int(most.read_text()) if most.exists() else 0).bit_length()


def attach(volume_id: str, size_gib: int, number: int) -> None:
    """Backs a loop device with the volume, which is created empty if it is new. Raises BusyError."""
    file = _DIRECTORY / volume_id
    bound = _bound()
    if bound.get(number) == file:
        return
    if file in bound.values():
        raise BusyError(f"{volume_id} is attached to another instance")
    root("mkdir", "-p", "-m", "0700", str(_DIRECTORY))
    root("truncate", f"--size=>{size_gib}G", str(file))  # never smaller, to keep its data
    root("losetup", f"/dev/loop{number}", str(file))


def detach(volume_id: str) -> None:
    """Frees the volume's loop device, if it has one. Raises BusyError while it is mounted."""
    for number, file in _bound().items():
        if file == _DIRECTORY / volume_id:
            try:
                root(sys.executable, "-c", _DETACH, str(number))
            except EmulationError as error:
                raise BusyError(str(error)) from error


def delete_all_but(volumes: Iterable[str]) -> None:
    """Deletes the files of other volumes, except those that are still mounted."""
    for name in set(root("ls", str(_DIRECTORY)).split() if _DIRECTORY.exists() else []) - set(volumes):
        with contextlib.suppress(BusyError):
            detach(name)
            root("rm", str(_DIRECTORY / name))


def remove() -> None:
    """Deletes all volumes."""
    delete_all_but(())
    root("rm", "-rf", str(_DIRECTORY))


def _bound() -> dict[int, Path]:
    """The emulation's loop devices by number, with their files."""
    output = root("losetup", "--list", "--json", "--output", "NAME,BACK-FILE")
    entries = json.loads(output)["loopdevices"] if output.strip() else []
    files = {int(entry["name"].removeprefix("/dev/loop")): Path(entry["back-file"]) for entry in entries}
    return {number: file for number, file in files.items() if file.parent == _DIRECTORY}
