"""What an account contains, according to AWS, not Terraform's state."""

from __future__ import annotations

from typing import Any, Protocol


class Account(Protocol):
    """A source of boto3 clients, such as tests.emulated_ec2.control_plane.ControlPlane."""

    def client(self, service: str) -> Any: ...


#: EC2's describe call, the list in its response, and the key of an entry's id.
_EC2 = [
    ("describe_vpcs", "Vpcs", "VpcId"),
    ("describe_subnets", "Subnets", "SubnetId"),
    ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("describe_route_tables", "RouteTables", "RouteTableId"),
    ("describe_security_groups", "SecurityGroups", "GroupId"),
    ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("describe_volumes", "Volumes", "VolumeId"),
    ("describe_addresses", "Addresses", "AllocationId"),
    ("describe_key_pairs", "KeyPairs", "KeyPairId"),
]


def holdings(account: Account) -> set[str]:
    """The ids or names of everything in the account and region that terraform/ could have created.

    If they are equal before apply and after destroy, nothing is left and nothing else was removed.
    """
    ec2, iam, s3 = (account.client(service) for service in ("ec2", "iam", "s3"))
    found = {entry[key] for call, entries, key in _EC2 for entry in getattr(ec2, call)()[entries]}
    # Terminated instances are listed for a while.
    alive = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped", "shutting-down"]}]
    for reservation in ec2.describe_instances(Filters=alive)["Reservations"]:
        found |= {instance["InstanceId"] for instance in reservation["Instances"]}
    found |= {f"role {role['RoleName']}" for role in iam.list_roles()["Roles"]}
    found |= {f"profile {entry['InstanceProfileName']}" for entry in iam.list_instance_profiles()["InstanceProfiles"]}
    return found | {f"bucket {bucket['Name']}" for bucket in s3.list_buckets()["Buckets"]}
