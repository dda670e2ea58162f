"""The control plane behaves like AWS where moto doesn't. Plain boto3, without machines."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulated_ec2.control_plane import ControlPlane
from tests.emulated_ec2.patches import PUBLIC_POOL

CANONICAL = "099720109477"


@pytest.fixture(scope="module")
def aws() -> Iterator[ControlPlane]:
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture
def ec2(aws: ControlPlane) -> Any:
    return aws.client("ec2")


@pytest.fixture
def subnet(ec2: Any) -> dict[str, Any]:
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    created: dict[str, Any] = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24", AvailabilityZone=zone)["Subnet"]
    return created


@pytest.fixture
def group(ec2: Any, subnet: dict[str, Any]) -> str:
    return create_group(ec2, subnet, "web")


def create_group(ec2: Any, subnet: dict[str, Any], name: str) -> str:
    return str(ec2.create_security_group(GroupName=name, Description=name, VpcId=subnet["VpcId"])["GroupId"])


def run(ec2: Any, subnet: dict[str, Any], **options: Any) -> str:
    """Starts an instance, by default at 10.20.1.11 of the subnet; returns its id."""
    request = {"ImageId": image(ec2), "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"}
    if "NetworkInterfaces" not in options:
        request |= {"SubnetId": subnet["SubnetId"], "PrivateIpAddress": "10.20.1.11"}
    return str(ec2.run_instances(**request | options)["Instances"][0]["InstanceId"])


def instance(ec2: Any, instance_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    return found


def image(ec2: Any) -> str:
    name = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"
    images = ec2.describe_images(Owners=[CANONICAL], Filters=[{"Name": "name", "Values": [name]}])["Images"]
    return str(max(images, key=lambda image: image["CreationDate"])["ImageId"])


def test_canonicals_noble_images(ec2: Any) -> None:
    found = ec2.describe_images(ImageIds=[image(ec2)])["Images"][0]
    assert (found["OwnerId"], found["Architecture"], found["RootDeviceName"]) == (CANONICAL, "x86_64", "/dev/sda1")
    assert found["CreationDate"].startswith("2026-10-01")


def test_an_instance_reports_the_groups_of_its_interface(ec2: Any, subnet: dict[str, Any], group: str) -> None:
    interface = {"DeviceIndex": 0, "SubnetId": subnet["SubnetId"], "Groups": [group]}
    instance_id = run(ec2, subnet, NetworkInterfaces=[interface])
    assert [g["GroupId"] for g in instance(ec2, instance_id)["SecurityGroups"]] == [group]


def test_changing_groups_changes_the_interfaces_groups(ec2: Any, subnet: dict[str, Any], group: str) -> None:
    other = create_group(ec2, subnet, "other")
    instance_id = run(ec2, subnet, SecurityGroupIds=[group])
    ec2.modify_instance_attribute(InstanceId=instance_id, Groups=[other])
    described = instance(ec2, instance_id)
    assert [g["GroupId"] for g in described["SecurityGroups"]] == [other]
    assert [g["GroupId"] for g in described["NetworkInterfaces"][0]["Groups"]] == [other]


def test_a_group_in_use_or_referenced_cannot_be_deleted(ec2: Any, subnet: dict[str, Any], group: str) -> None:
    other = create_group(ec2, subnet, "other")
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[rule])
    instance_id = run(ec2, subnet, SecurityGroupIds=[other])
    for used in (group, other):
        with pytest.raises(ClientError, match="DependencyViolation"):
            ec2.delete_security_group(GroupId=used)
    ec2.terminate_instances(InstanceIds=[instance_id])
    ec2.delete_security_group(GroupId=other)
    ec2.delete_security_group(GroupId=group)


def test_public_addresses_come_from_the_pool(ec2: Any, subnet: dict[str, Any]) -> None:
    addresses = [ec2.allocate_address(Domain="vpc")["PublicIp"] for _ in range(3)]
    assert len(set(addresses)) == 3
    assert all(ip_address(address) in PUBLIC_POOL for address in addresses)
    assert "PublicIpAddress" not in instance(ec2, run(ec2, subnet))


def test_an_elastic_ip_outlives_a_stop_and_leaves_a_terminated_instance(ec2: Any, subnet: dict[str, Any]) -> None:
    ec2.modify_subnet_attribute(SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": True})
    first = run(ec2, subnet)
    assert ip_address(instance(ec2, first)["PublicIpAddress"]) in PUBLIC_POOL
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=first)
    ec2.stop_instances(InstanceIds=[first])
    assert instance(ec2, first)["PublicIpAddress"] == address["PublicIp"]
    ec2.start_instances(InstanceIds=[first])
    assert instance(ec2, first)["PublicIpAddress"] == address["PublicIp"]

    ec2.terminate_instances(InstanceIds=[first])
    assert "PublicIpAddress" not in instance(ec2, first)
    described = ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"][0]
    assert "AssociationId" not in described
    assert not described.get("InstanceId")
    replacement = run(ec2, subnet)  # the private address is free again
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=replacement)
    assert instance(ec2, replacement)["PublicIpAddress"] == address["PublicIp"]


def test_an_elastic_ip_that_moves_leaves_its_former_instance(ec2: Any, subnet: dict[str, Any]) -> None:
    first, second = run(ec2, subnet), run(ec2, subnet, PrivateIpAddress="10.20.1.12")
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=first)
    with pytest.raises(ClientError, match="AlreadyAssociated"):
        ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=second)
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=second, AllowReassociation=True)
    assert "PublicIpAddress" not in instance(ec2, first)
    assert instance(ec2, second)["PublicIpAddress"] == address["PublicIp"]


def test_a_terminated_instance_stays_terminated(ec2: Any, subnet: dict[str, Any]) -> None:
    instance_id = run(ec2, subnet)
    ec2.terminate_instances(InstanceIds=[instance_id])
    for call in (ec2.start_instances, ec2.stop_instances, ec2.reboot_instances):
        with pytest.raises(ClientError, match="IncorrectInstanceState"):
            call(InstanceIds=[instance_id])


def test_a_volume_has_one_instance_in_its_zone(ec2: Any, subnet: dict[str, Any]) -> None:
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
    volume = ec2.create_volume(Size=1, AvailabilityZone=zones[0], VolumeType="gp3")["VolumeId"]
    elsewhere = ec2.create_volume(Size=1, AvailabilityZone=zones[1], VolumeType="gp3")["VolumeId"]
    first, second = run(ec2, subnet), run(ec2, subnet, PrivateIpAddress="10.20.1.12")
    with pytest.raises(ClientError, match="ZoneMismatch"):
        ec2.attach_volume(VolumeId=elsewhere, InstanceId=first, Device="/dev/sdf")
    ec2.attach_volume(VolumeId=volume, InstanceId=first, Device="/dev/sdf")
    with pytest.raises(ClientError, match="VolumeInUse"):
        ec2.attach_volume(VolumeId=volume, InstanceId=second, Device="/dev/sdf")
    with pytest.raises(ClientError, match="VolumeInUse"):
        ec2.delete_volume(VolumeId=volume)

    mappings = {m["DeviceName"]: m["Ebs"] for m in instance(ec2, first)["BlockDeviceMappings"]}
    assert mappings["/dev/sdf"]["VolumeId"] == volume
    assert mappings["/dev/sda1"]["DeleteOnTermination"]
    root = mappings["/dev/sda1"]["VolumeId"]
    ec2.terminate_instances(InstanceIds=[first])
    left = {v["VolumeId"]: v["State"] for v in ec2.describe_volumes()["Volumes"]}
    assert left[volume] == "available"
    assert root not in left
    with pytest.raises(ClientError, match="IncorrectState"):
        ec2.attach_volume(VolumeId=volume, InstanceId=first, Device="/dev/sdf")
    ec2.attach_volume(VolumeId=volume, InstanceId=second, Device="/dev/sdf")


def test_object_lock_prevents_deletion(aws: ControlPlane) -> None:
    s3 = aws.client("s3")
    place = {"LocationConstraint": aws.region}
    s3.create_bucket(Bucket="backups", CreateBucketConfiguration=place, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    s3.put_object_lock_configuration(
        Bucket="backups", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    version = s3.put_object(Bucket="backups", Key="dump", Body=b"films")["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket="backups", Key="dump", VersionId=version)


def test_changes_counts_requests_that_may_change_something(aws: ControlPlane, ec2: Any) -> None:
    before = aws.changes()
    ec2.describe_instances()
    assert aws.changes() == before
    ec2.allocate_address(Domain="vpc")
    assert aws.changes() > before
