"""Resources that have the cluster's tag but aren't in Terraform's state, because a run was killed as it created them.

They are found by the tag Cluster, whose value is unique to the cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import boto3

TAG = "Cluster"
Find = Callable[[str], list[str]]


@dataclass(frozen=True)
class Kind:
    """A kind of resource: its display name, how to find the tagged ones, and how to remove one."""

    name: str
    find: Find
    remove: Callable[[str], None]


class Leftovers:
    """One cluster's resources in one region, without its buckets (see ops.aws.backups)."""

    def __init__(self, region: str, cluster_id: str) -> None:
        make: Any = boto3.client
        self._ec2: Any = make("ec2", region_name=region)
        self._iam: Any = make("iam", region_name=region)
        self._id = cluster_id
        self._filters = [{"Name": f"tag:{TAG}", "Values": [cluster_id]}]

    def find(self) -> list[str]:
        """All resources, as "kind id"."""
        return [f"{kind.name} {identity}" for kind in self._kinds() for identity in kind.find(self._id)]

    def remove(self, known: Container[str] = ()) -> list[str]:
        """Removes all but the `known` ones, in order of dependency; returns "kind id" of those it removed.

        Raises botocore's ClientError if one can't be removed.
        """
        removed = []
        for kind in self._kinds():
            found = [identity for identity in kind.find(self._id) if identity not in known]
            for identity in found:
                kind.remove(identity)
                removed.append(f"{kind.name} {identity}")
            if kind.name == "instance" and found:
                self._ec2.get_waiter("instance_terminated").wait(InstanceIds=found)
        return removed

    def other_clusters(self) -> dict[str, int]:
        """Number of instances of the project's other clusters in this region, by cluster id."""
        filters = [{"Name": "tag:Project", "Values": ["film-library"]}]
        counts: Counter[str] = Counter()
        for instance in self._described(filters):
            tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
            counts[tags.get(TAG, "without an id")] += 1
        return {identity: count for identity, count in counts.items() if identity != self._id}

    def _kinds(self) -> list[Kind]:
        ec2 = self._ec2
        return [
            Kind("instance", self._instances, lambda i: ec2.terminate_instances(InstanceIds=[i])),
            self._kind("elastic IP", "describe_addresses", "AllocationId", self._release),
            Kind("volume", self._volumes, lambda i: ec2.delete_volume(VolumeId=i)),
            self._kind("key pair", "describe_key_pairs", "KeyPairId", lambda i: ec2.delete_key_pair(KeyPairId=i)),
            Kind("rules of security group", self._ruled_groups, self._revoke),
            Kind("security group", self._groups, lambda i: ec2.delete_security_group(GroupId=i)),
            self._kind("subnet", "describe_subnets", "SubnetId", lambda i: ec2.delete_subnet(SubnetId=i)),
            Kind("route table", self._route_tables, lambda i: ec2.delete_route_table(RouteTableId=i)),
            self._kind("internet gateway", "describe_internet_gateways", "InternetGatewayId", self._delete_gateway),
            self._kind("VPC", "describe_vpcs", "VpcId", lambda i: ec2.delete_vpc(VpcId=i)),
            Kind("instance profile", self._profiles, self._delete_profile),
            Kind("role", self._roles, self._delete_role),
        ]

    def _kind(self, name: str, operation: str, key: str, remove: Callable[[str], None]) -> Kind:
        def find(_: str) -> list[str]:
            answer = getattr(self._ec2, operation)(Filters=self._filters)
            entries = next(value for field, value in answer.items() if isinstance(value, list))
            return [entry[key] for entry in entries]

        return Kind(name, find, remove)

    def _instances(self, _: str) -> list[str]:
        return [instance["InstanceId"] for instance in self._described(self._filters)]

    def _described(self, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        pages = self._ec2.get_paginator("describe_instances").paginate(Filters=filters)
        found = [instance for page in pages for group in page["Reservations"] for instance in group["Instances"]]
        return [instance for instance in found if instance["State"]["Name"] != "terminated"]

    def _volumes(self, _: str) -> list[str]:
        """Volumes that aren't attached: root disks are deleted with their instances and aren't in Terraform's state."""
        free = [*self._filters, {"Name": "status", "Values": ["available"]}]
        return [volume["VolumeId"] for volume in self._ec2.describe_volumes(Filters=free)["Volumes"]]

    def _release(self, allocation: str) -> None:
        (address,) = self._ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
        if "AssociationId" in address:
            self._ec2.disassociate_address(AssociationId=address["AssociationId"])
        self._ec2.release_address(AllocationId=allocation)

    def _security_groups(self) -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = self._ec2.describe_security_groups(Filters=self._filters)["SecurityGroups"]
        return [group for group in groups if group["GroupName"] != "default"]  # deleted with its VPC

    def _groups(self, _: str) -> list[str]:
        return [group["GroupId"] for group in self._security_groups()]

    def _ruled_groups(self, _: str) -> list[str]:
        ruled = (g for g in self._security_groups() if g["IpPermissions"] or g["IpPermissionsEgress"])
        return [group["GroupId"] for group in ruled]

    def _revoke(self, identity: str) -> None:
        """Removes a group's rules: a group that another's rules refer to can't be deleted."""
        (group,) = self._ec2.describe_security_groups(GroupIds=[identity])["SecurityGroups"]
        if group["IpPermissions"]:
            self._ec2.revoke_security_group_ingress(GroupId=identity, IpPermissions=group["IpPermissions"])
        if group["IpPermissionsEgress"]:
            self._ec2.revoke_security_group_egress(GroupId=identity, IpPermissions=group["IpPermissionsEgress"])

    def _route_tables(self, _: str) -> list[str]:
        tables = self._ec2.describe_route_tables(Filters=self._filters)["RouteTables"]
        return [
            table["RouteTableId"]
            for table in tables
            if not any(association.get("Main") for association in table.get("Associations", []))
        ]

    def _delete_gateway(self, identity: str) -> None:
        (gateway,) = self._ec2.describe_internet_gateways(InternetGatewayIds=[identity])["InternetGateways"]
        for attachment in gateway.get("Attachments", []):
            self._ec2.detach_internet_gateway(InternetGatewayId=identity, VpcId=attachment["VpcId"])
        self._ec2.delete_internet_gateway(InternetGatewayId=identity)

    def _profiles(self, _: str) -> list[str]:
        names = self._pages("list_instance_profiles", "InstanceProfiles", "InstanceProfileName")
        return [name for name in names if self._is_ours(self._iam.get_instance_profile, InstanceProfileName=name)]

    def _roles(self, _: str) -> list[str]:
        names = self._pages("list_roles", "Roles", "RoleName")
        return [name for name in names if self._is_ours(self._iam.get_role, RoleName=name)]

    def _pages(self, operation: str, field: str, key: str) -> list[str]:
        """Names that start with the project's prefix; IAM can't filter by tag, and its lists don't include tags."""
        pages = self._iam.get_paginator(operation).paginate()
        return [entry[key] for page in pages for entry in page[field] if entry[key].startswith("film-library-")]

    def _is_ours(self, get: Callable[..., dict[str, Any]], **name: str) -> bool:
        try:
            answer = get(**name)
        except self._iam.exceptions.NoSuchEntityException:
            return False  # deleted since it was listed
        tags = [entry.get("Tags", []) for entry in answer.values() if isinstance(entry, dict)]
        return any({"Key": TAG, "Value": self._id} in of_entry for of_entry in tags)

    def _delete_profile(self, name: str) -> None:
        profile = self._iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        for role in profile["Roles"]:
            self._iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
        self._iam.delete_instance_profile(InstanceProfileName=name)

    def _delete_role(self, name: str) -> None:
        for policy in self._iam.list_role_policies(RoleName=name)["PolicyNames"]:
            self._iam.delete_role_policy(RoleName=name, PolicyName=policy)
        self._iam.delete_role(RoleName=name)
