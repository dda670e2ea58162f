"""Roles `data_volume` and `mongod`: the members' data is on the volume, or they don't start."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from tests.deployed import Deployment, Inventory, Process
from tests.units import log

MOUNT_POINT = "/var/lib/mongodb"
#: A number that no package uses, as of the user `mongodb` on the volume's former machine.
FORMER_USER = 4242


@pytest.fixture
def host(deployment: Deployment, inventory: Inventory) -> Host:
    return deployment.host(inventory.group("config")[0])


@pytest.fixture
def members(host: Host, deployment: Deployment, inventory: Inventory) -> Iterator[list[Process]]:
    """The host's members, stopped. They are started again in the end."""
    members = [member for member in inventory.members if member.host == inventory.group("config")[0]]
    units = " ".join(member.unit for member in members)
    host.check_output(f"systemctl stop {units}")
    yield members
    host.run("mountpoint --quiet %s || mount %s", MOUNT_POINT, MOUNT_POINT)
    host.check_output(f"systemctl start {units}")
    for member in members:
        deployment.wait_until_it_answers(member)


def mounted(host: Host, *options: str) -> dict[str, str]:
    """The mount point's source, fstype and options as findmnt prints them."""
    listing = host.check_output(
        "findmnt --json --output SOURCE,FSTYPE,OPTIONS %s --mountpoint %s", *options, MOUNT_POINT
    )
    return dict(json.loads(listing)["filesystems"][0])


def test_volume_is_xfs_and_keeps_no_access_times(host: Host) -> None:
    now = mounted(host, "--kernel")
    assert now["fstype"] == "xfs"
    assert "noatime" in now["options"].split(",")


def test_volume_is_mounted_at_boot(host: Host) -> None:
    """With nofail, so that a machine boots and can be logged in to without its volume."""
    at_boot = mounted(host, "--fstab")
    assert (at_boot["fstype"], at_boot["options"]) == ("xfs", "noatime,nofail")
    assert host.check_output("realpath %s", at_boot["source"]) == mounted(host, "--kernel")["source"]


def test_members_never_start_below_the_volume(host: Host, members: list[Process]) -> None:
    """An empty member on the root disk would look healthy and fill the disk."""
    host.check_output("umount %s", MOUNT_POINT)
    for member in members:
        assert host.run("systemctl start %s", member.unit).rc != 0
        assert not host.service(member.unit).is_running
    assert host.check_output("find %s -mindepth 1", MOUNT_POINT) == ""
    host.check_output("mount %s", MOUNT_POINT)
    for member in members:
        assert host.run("systemctl start %s", member.unit).rc == 0, log(host, member.unit)


def test_members_own_data_from_a_former_machine(host: Host, deployment: Deployment, members: list[Process]) -> None:
    """A rebuilt machine may give the user another number. systemd corrects the owner."""
    host.check_output(f"chown --recursive {FORMER_USER}:{FORMER_USER} {MOUNT_POINT}/*")
    host.check_output(f"systemctl start {' '.join(member.unit for member in members)}")
    assert host.check_output(f"find {MOUNT_POINT} -user {FORMER_USER} -o -group {FORMER_USER}") == ""
    for member in members:
        deployment.wait_until_it_answers(member)  # even one that can't read its data runs for a moment
