"""The emulated EC2's machines with plain boto3: reachability, and what survives a stop or a termination."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops import podman
from tests.emulated_ec2.control_plane import ControlPlane
from tests.emulated_ec2.emulation import EmulatedEc2
from tests.emulated_ec2.network import ADMINISTRATOR, OFFICE, PUBLIC, namespace
from tests.emulated_ec2.shell import PREFIX, root

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
NOBLE = "ami-0c0de0f0b1e000002"
ANYWHERE = "0.0.0.0/0"
PATIENCE = 20  # seconds; it usually takes one or two
#: Creates a file system on device $1 that /etc/fstab mounts at /data, and a unit that needs it at boot.
PREPARE_VOLUME = """
mkfs.ext4 -q "$1"
echo "UUID=$(blkid -o value -s UUID "$1") /data ext4 defaults 0 2" >> /etc/fstab
mkdir /data
mount /data
echo films > /data/kept
echo root > /root/kept
cat > /etc/systemd/system/reader.service <<END
[Unit]
RequiresMountsFor=/data
[Service]
Type=oneshot
ExecStart=/bin/cp /data/kept /root/read
[Install]
WantedBy=multi-user.target
END
systemctl enable --quiet reader.service
hostnamectl set-hostname named-by-hand
"""
#: Prints "passes" if the other end responds, even with a refusal, and "filtered" if nothing comes back.
CONNECT = """
import socket, sys
source, target, port = sys.argv[1:]
try:
    socket.create_connection((target, int(port)), timeout=1, source_address=(source, 0)).close()
except TimeoutError:
    sys.exit(print("filtered"))
except ConnectionRefusedError:
    pass
print("passes")
"""


@dataclass
class Machine:
    """An instance with an Elastic IP."""

    id: str
    private: str
    public: str


class Site:
    """A VPC with a web server and a database server, each in its own security group."""

    def __init__(self, aws: ControlPlane, directory: Path) -> None:
        self.ec2 = aws.client("ec2")
        self.key = directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        self.ec2.import_key_pair(KeyName="key", PublicKeyMaterial=self.key.with_suffix(".pub").read_bytes())
        self.vpc = self.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        self.zones = [zone["ZoneName"] for zone in self.ec2.describe_availability_zones()["AvailabilityZones"]]
        self.subnets = [self.subnet("10.20.1.0/24", self.zones[0]), self.subnet("10.20.2.0/24", self.zones[1])]
        self.web_group, self.db_group = self.group("web"), self.group("db")
        self.ec2.revoke_security_group_egress(GroupId=self.db_group, IpPermissions=[rule("-1", ANYWHERE)])
        self.ec2.authorize_security_group_egress(GroupId=self.db_group, IpPermissions=[rule("tcp", ANYWHERE, 80)])
        everybody = [rule("tcp", ANYWHERE, port) for port in (80, 443)]
        self.allow(self.web_group, rule("tcp", f"{ADMINISTRATOR}/32", 22), *everybody)
        self.allow(self.db_group, rule("tcp", f"{ADMINISTRATOR}/32", 22), rule("tcp", self.web_group, 5432))
        self.web = self.launch(0, "10.20.1.11", self.web_group)
        self.db = self.launch(1, "10.20.2.11", self.db_group)
        self.wait("instance_running", self.web, self.db)

    def subnet(self, cidr: str, zone: str) -> str:
        request = {"VpcId": self.vpc, "CidrBlock": cidr, "AvailabilityZone": zone}
        return str(self.ec2.create_subnet(**request)["Subnet"]["SubnetId"])

    def group(self, name: str) -> str:
        return str(self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"])

    def allow(self, group: str, *rules: dict[str, Any]) -> None:
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=list(rules))

    def launch(self, zone: int, private: str, group: str, public: str | None = None) -> Machine:
        """An instance in one of the two zones, with a new or an unassociated Elastic IP."""
        instance = self.ec2.run_instances(
            **{"ImageId": NOBLE, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "KeyName": "key"},
            **{"SubnetId": self.subnets[zone], "PrivateIpAddress": private, "SecurityGroupIds": [group]},
        )["Instances"][0]["InstanceId"]
        public = public or self.ec2.allocate_address(Domain="vpc")["PublicIp"]
        self.ec2.associate_address(PublicIp=public, InstanceId=instance)
        return Machine(instance, private, public)

    def wait(self, state: str, *machines: Machine) -> None:
        waiter = self.ec2.get_waiter(state)
        waiter.wait(
            InstanceIds=[machine.id for machine in machines], WaiterConfig={"Delay": 0.2, "MaxAttempts": PATIENCE * 5}
        )

    def describe(self, machine: Machine) -> dict[str, Any]:
        found: dict[str, Any] = self.ec2.describe_instances(InstanceIds=[machine.id])["Reservations"][0]["Instances"][0]
        return found

    def volume_state(self, volume: str) -> str:
        attachments = self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]
        return str(attachments[0]["State"]) if attachments else "detached"

    def ssh(
        self, machine: Machine, command: str, user: str = "ubuntu", stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"]
        options += ["ConnectTimeout=2", "IdentitiesOnly=yes"]
        flags = [flag for option in options for flag in ("-o", option)]
        line = ["ssh", "-i", str(self.key), *flags, f"{user}@{machine.public}", command]
        return subprocess.run(line, input=stdin, capture_output=True, text=True, check=False)

    def run(self, machine: Machine, command: str, stdin: str = "") -> str:
        """The output of a command, which must succeed, on a machine that may still be booting."""
        eventually(lambda: self.ssh(machine, "true").returncode == 0)
        result = self.ssh(machine, command, stdin=stdin)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()


def rule(protocol: str, peer: str, port: int | None = None) -> dict[str, Any]:
    ports = {} if port is None else {"FromPort": port, "ToPort": port}
    peers = {"UserIdGroupPairs": [{"GroupId": peer}]} if peer.startswith("sg-") else {"IpRanges": [{"CidrIp": peer}]}
    return {"IpProtocol": protocol} | ports | peers


def eventually(ask: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ask():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s"
        time.sleep(0.1)


def passes(source: str | Machine, target: str, port: int) -> bool:
    """Whether a connection from one of this machine's addresses, or from an instance, reaches the port."""
    if isinstance(source, Machine):
        enter = ["ip", "netns", "exec", namespace(source.id)]
        return root(*enter, sys.executable, "-c", CONNECT, source.private, target, str(port)).strip() == "passes"
    return root(sys.executable, "-c", CONNECT, source, target, str(port)).strip() == "passes"


def left_behind() -> list[str]:
    """Everything on this machine that has the emulation's prefix."""
    listings = [
        podman.run("ps", "--all", "--format", "{{.Names}}").stdout,
        *[root("ip", "netns", "list"), root("ip", "-brief", "link"), root("ip", "route")],
        *[root("losetup", "--list", "--noheadings"), root("nft", "list", "tables"), root("ls", "/var/tmp")],  # noqa: S108 - only listed
    ]
    return [line for listing in listings for line in listing.splitlines() if PREFIX.rstrip("-") in line]


def test_a_killed_run_is_cleaned_up_by_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.emulated_ec2"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        site = Site(ControlPlane(port), tmp_path)
        volume = site.ec2.create_volume(Size=1, AvailabilityZone=site.zones[0])["VolumeId"]
        site.ec2.attach_volume(VolumeId=volume, InstanceId=site.web.id, Device="/dev/sdf")
        eventually(lambda: site.volume_state(volume) == "attached")
        process.send_signal(signal.SIGKILL)
    found = "\n".join(left_behind())
    assert site.web.id in found
    assert volume in found
    with EmulatedEc2():
        found = "\n".join(left_behind())
        assert site.web.id not in found
        assert volume not in found
    assert left_behind() == []


@pytest.fixture(scope="module")
def aws() -> Iterator[EmulatedEc2]:
    with EmulatedEc2() as emulated:
        yield emulated
    assert left_behind() == []


@pytest.fixture(scope="module")
def site(aws: EmulatedEc2, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(aws, tmp_path_factory.mktemp("site"))


def test_the_key_pair_logs_in_as_ubuntu_only(site: Site) -> None:
    assert site.run(site.web, "hostname") == "ip-10-20-1-11"
    assert site.run(site.web, "sudo -n id --user") == "0"
    assert "Permission denied" in site.ssh(site.web, "true", user="root").stderr
    assert site.run(site.web, "sudo find / -xdev -name authorized_keys -printf '%u '") == "ubuntu"


def test_only_what_the_groups_allow_gets_through(site: Site) -> None:
    web, db = site.web, site.db
    allowed = {
        (ADMINISTRATOR, web.public, 22): True,
        (ADMINISTRATOR, web.public, 80): True,
        (ADMINISTRATOR, web.public, 5432): False,
        (PUBLIC, web.public, 22): False,
        (PUBLIC, web.public, 443): True,
        (OFFICE, db.public, 22): False,
        (ADMINISTRATOR, db.public, 22): True,
        (ADMINISTRATOR, db.public, 5432): False,
    }
    assert {way: passes(*way) for way in allowed} == allowed
    assert passes(web, db.private, 5432)
    assert not passes(web, db.private, 22)
    assert not passes(web, db.public, 5432), "from its Elastic IP it doesn't count as a member of its group"
    assert passes(db, web.private, 80)
    assert not passes(db, web.private, 443), "its own group allows egress to port 80 only"


def test_an_instances_root_cannot_change_its_filters(site: Site) -> None:
    site.run(site.db, "sudo nft flush ruleset")
    assert not passes(ADMINISTRATOR, site.db.public, 5432)
    assert not passes(site.db, site.web.private, 443)


def test_rules_take_effect_within_seconds(site: Site) -> None:
    through_elastic_ip = rule("tcp", f"{site.web.public}/32", 5432)
    site.allow(site.db_group, through_elastic_ip)
    eventually(lambda: passes(site.web, site.db.public, 5432))
    site.ec2.revoke_security_group_ingress(GroupId=site.db_group, IpPermissions=[through_elastic_ip])
    eventually(lambda: not passes(site.web, site.db.public, 5432))


def test_instances_reach_the_internet_from_their_public_address(aws: EmulatedEc2, site: Site, tmp_path: Path) -> None:
    (tmp_path / "Release").write_text("packages")
    url = aws.serve_directory(tmp_path)
    fetch = f"python3 -c \"from urllib.request import urlopen; print(urlopen('{url}/Release', timeout=5).read())\""
    assert site.run(site.db, fetch) == "b'packages'"
    address = site.ec2.describe_addresses(PublicIps=[site.db.public])["Addresses"][0]
    site.ec2.disassociate_address(AssociationId=address["AssociationId"])
    eventually(lambda: not passes(site.db, url.removeprefix("http://"), 80))
    assert not passes(site.db, site.web.public, 80), "the internet gateway needs a public address"
    assert passes(site.db, site.web.private, 80)
    site.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=site.db.id)
    eventually(lambda: passes(ADMINISTRATOR, site.db.public, 22))


@pytest.fixture(scope="module")
def volume(site: Site) -> str:
    """The web server's volume, with a file system that is mounted at boot."""
    volume = str(site.ec2.create_volume(Size=1, AvailabilityZone=site.zones[0])["VolumeId"])
    site.ec2.attach_volume(VolumeId=volume, InstanceId=site.web.id, Device="/dev/sdf")
    eventually(lambda: site.volume_state(volume) == "attached")
    site.run(site.web, f"sudo sh -e -s {device(volume)}", stdin=PREPARE_VOLUME)
    return volume


def device(volume: str) -> str:
    return f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"


def test_a_stop_keeps_everything_but_processes(site: Site, volume: str) -> None:
    web = site.web
    site.ec2.detach_volume(VolumeId=volume)
    assert site.volume_state(volume) == "detaching", "it is mounted"
    site.ec2.stop_instances(InstanceIds=[web.id])
    assert site.describe(web)["State"]["Name"] == "stopping"
    site.wait("instance_stopped", web)
    assert site.volume_state(volume) == "detached"
    eventually(lambda: not passes(ADMINISTRATOR, web.public, 22))

    site.ec2.attach_volume(VolumeId=volume, InstanceId=web.id, Device="/dev/sdf")
    site.ec2.start_instances(InstanceIds=[web.id])
    site.wait("instance_running", web)
    kept = "systemctl is-system-running --wait; hostname; sudo cat /root/kept /data/kept /root/read"
    assert site.run(web, kept).split() == ["running", "named-by-hand", "root", "films", "films"]
    assert (site.describe(web)["PublicIpAddress"], site.describe(web)["PrivateIpAddress"]) == (web.public, web.private)


def test_a_termination_keeps_the_volume_and_the_elastic_ip(site: Site, volume: str) -> None:
    former = site.web
    site.ec2.terminate_instances(InstanceIds=[former.id])
    with pytest.raises(ClientError, match="VolumeInUse"):
        site.ec2.delete_volume(VolumeId=volume)
    site.wait("instance_terminated", former)
    eventually(lambda: not passes(ADMINISTRATOR, former.public, 22))
    site.web = site.launch(0, former.private, site.web_group, former.public)
    site.ec2.attach_volume(VolumeId=volume, InstanceId=site.web.id, Device="/dev/sdf")
    site.wait("instance_running", site.web)
    eventually(lambda: site.volume_state(volume) == "attached")
    kept = f"hostname; sudo ls /root; sudo mount {device(volume)} /mnt; cat /mnt/kept"
    assert site.run(site.web, kept).split() == ["ip-10-20-1-11", "films"]

    site.run(site.web, "sudo umount /mnt")
    site.ec2.detach_volume(VolumeId=volume)
    eventually(lambda: site.volume_state(volume) == "detached")
    assert site.ssh(site.web, f"test -e {device(volume)}").returncode == 1
    site.ec2.delete_volume(VolumeId=volume)
    eventually(lambda: volume not in "\n".join(left_behind()))
