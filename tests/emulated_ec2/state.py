"""The control plane's state, as far as machines and their network need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Attachment:
    """An instance's data volume. `state` is EC2's: attaching, attached or detaching."""

    volume_id: str
    size_gib: int
    state: str


@dataclass(frozen=True)
class Instance:
    """An instance that isn't terminated. `state` is EC2's: pending, running, stopping, stopped or shutting-down."""

    id: str
    state: str
    private_address: str
    public_address: str | None
    subnet: str  # CIDR
    groups: frozenset[str]
    public_key: str | None
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True)
class Rule:
    """A rule of a security group.

    `protocol` is tcp, udp, icmp, a number, or -1 for all. `ports` are the first and last port, for icmp the type and
    code (-1 for any), or None for all. `groups` are the ids of referenced groups.
    """

    protocol: str
    ports: tuple[int, int] | None
    networks: tuple[str, ...]
    groups: tuple[str, ...]

    @classmethod
    def from_ec2(cls, permission: dict[str, Any]) -> Rule:
        ports = (permission["FromPort"], permission["ToPort"]) if "FromPort" in permission else None
        return cls(
            protocol=permission["IpProtocol"],
            ports=ports,
            networks=tuple(entry["CidrIp"] for entry in permission.get("IpRanges", [])),
            groups=tuple(entry["GroupId"] for entry in permission.get("UserIdGroupPairs", [])),
        )


@dataclass(frozen=True)
class Group:
    """A security group's rules."""

    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]


@dataclass(frozen=True)
class State:
    """A region's state."""

    instances: tuple[Instance, ...]
    groups: dict[str, Group]
    volumes: frozenset[str]

    def members(self, group: str) -> list[str]:
        """Private addresses of the instances in a security group."""
        return sorted(instance.private_address for instance in self.instances if group in instance.groups)


def read(ec2: Any) -> State:
    """Reads everything with a boto3 client for EC2."""
    # Instances first: what they refer to existed before them, so later requests find it.
    reservations = ec2.describe_instances()["Reservations"]
    volumes = ec2.describe_volumes()["Volumes"]
    subnets = {subnet["SubnetId"]: subnet["CidrBlock"] for subnet in ec2.describe_subnets()["Subnets"]}
    keys = {key["KeyName"]: key["PublicKey"] for key in ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]}
    instances = [
        Instance(
            id=entry["InstanceId"],
            state=entry["State"]["Name"],
            private_address=entry["PrivateIpAddress"],
            public_address=entry.get("PublicIpAddress"),
            subnet=subnets[entry["SubnetId"]],
            groups=frozenset(group["GroupId"] for group in entry["SecurityGroups"]),
            public_key=keys.get(entry.get("KeyName")),
            attachments=tuple(_attachments(entry, volumes)),
        )
        for reservation in reservations
        for entry in reservation["Instances"]
        if entry["State"]["Name"] != "terminated"
    ]
    groups = {
        group["GroupId"]: Group(
            ingress=tuple(map(Rule.from_ec2, group["IpPermissions"])),
            egress=tuple(map(Rule.from_ec2, group["IpPermissionsEgress"])),
        )
        for group in ec2.describe_security_groups()["SecurityGroups"]
    }
    return State(tuple(instances), groups, frozenset(volume["VolumeId"] for volume in volumes))


def _attachments(instance: dict[str, Any], volumes: list[dict[str, Any]]) -> list[Attachment]:
    """The instance's data volumes; its root volume is the container's file system."""
    return [
        Attachment(volume["VolumeId"], volume["Size"], attachment["State"])
        for volume in volumes
        for attachment in volume["Attachments"]
        if attachment["InstanceId"] == instance["InstanceId"] and attachment["Device"] != instance["RootDeviceName"]
    ]
