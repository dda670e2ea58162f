"""What account-policy.json and permissions-boundary.json refuse; test_lifecycle.py tests what they allow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.terraform.account_policy import BOUNDARY, POLICY
from tests.terraform.iam import ACCOUNT, REGION, Question, allows, ec2

OURS, OTHER = "film-library", "payroll"
LIMIT = f"arn:aws:iam::{ACCOUNT}:policy/film-library-boundary"
BUCKET = "arn:aws:s3:::film-library-x-backup-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/film-library-x-backup"

# What EC2 asks about what exists: each action with the kinds of resources that it changes or uses.
CHANGES = {
    "AssociateAddress": ["elastic-ip", "instance", "network-interface"],
    "AssociateIamInstanceProfile": ["instance"],
    "AssociateRouteTable": ["route-table", "subnet"],
    "AttachInternetGateway": ["internet-gateway", "vpc"],
    "AttachVolume": ["instance", "volume"],
    "AuthorizeSecurityGroupEgress": ["security-group"],
    "AuthorizeSecurityGroupIngress": ["security-group"],
    "CreateRoute": ["route-table"],
    "CreateRouteTable": ["vpc"],
    "CreateSecurityGroup": ["vpc"],
    "CreateSubnet": ["vpc"],
    "CreateTags": ["instance", "volume", "elastic-ip", "security-group", "subnet", "vpc", "snapshot"],
    "DeleteInternetGateway": ["internet-gateway"],
    "DeleteKeyPair": ["key-pair"],
    "DeleteRoute": ["route-table"],
    "DeleteRouteTable": ["route-table"],
    "DeleteSecurityGroup": ["security-group"],
    "DeleteSubnet": ["subnet"],
    "DeleteTags": ["instance", "volume", "elastic-ip", "security-group"],
    "DeleteVolume": ["volume"],
    "DeleteVpc": ["vpc"],
    "DetachInternetGateway": ["internet-gateway", "vpc"],
    "DetachVolume": ["instance", "volume"],
    "DisassociateAddress": ["elastic-ip"],
    "DisassociateIamInstanceProfile": ["instance"],
    "DisassociateRouteTable": ["route-table"],
    "ModifyInstanceAttribute": ["instance", "security-group"],
    "ModifyInstanceMetadataOptions": ["instance"],
    "ModifySubnetAttribute": ["subnet"],
    "ModifyVolume": ["volume"],
    "ModifyVpcAttribute": ["vpc"],
    "ReleaseAddress": ["elastic-ip"],
    "ReplaceIamInstanceProfileAssociation": ["instance"],
    "ReplaceRoute": ["route-table"],
    "ReplaceRouteTableAssociation": ["route-table"],
    "RevokeSecurityGroupEgress": ["security-group"],
    "RevokeSecurityGroupIngress": ["security-group"],
    "RunInstances": ["key-pair", "security-group", "snapshot", "subnet"],
    "StartInstances": ["instance"],
    "StopInstances": ["instance"],
    "TerminateInstances": ["instance"],
}
MAKES = {
    "AllocateAddress": "elastic-ip",
    "CreateInternetGateway": "internet-gateway",
    "CreateRouteTable": "route-table",
    "CreateSecurityGroup": "security-group",
    "CreateSubnet": "subnet",
    "CreateVolume": "volume",
    "CreateVpc": "vpc",
    "ImportKeyPair": "key-pair",
    "RunInstances": "instance",
}
EXISTING = [(action, kind) for action, kinds in CHANGES.items() for kind in kinds]


@pytest.fixture(scope="module")
def policy() -> Any:
    return json.loads(POLICY.read_text())


@pytest.fixture(scope="module")
def boundary() -> Any:
    return json.loads(BOUNDARY.read_text())


def test_the_tables_are_complete(policy: Any) -> None:
    actions = {
        action.removeprefix("ec2:")
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        if action.startswith("ec2:") and not action.endswith("*")
    }
    assert actions == CHANGES.keys() | MAKES.keys()


@pytest.mark.parametrize(("action", "kind"), EXISTING)
def test_only_what_has_the_tag_is_changed(policy: Any, action: str, kind: str) -> None:
    assert allows(policy, ec2(action, kind, owner=OURS))
    assert not allows(policy, ec2(action, kind, owner=OTHER))
    if (action, kind) != ("RunInstances", "network-interface"):
        assert not allows(policy, ec2(action, kind))


@pytest.mark.parametrize(("action", "kind"), MAKES.items())
def test_everything_is_made_with_the_tag(policy: Any, action: str, kind: str) -> None:
    assert allows(policy, ec2(action, kind, new_owner=OURS))
    assert not allows(policy, ec2(action, kind, new_owner=OTHER))
    assert not allows(policy, ec2(action, kind))


@pytest.mark.parametrize("keys", [{}, {"owner": OTHER}])
def test_the_tag_is_not_given_to_what_exists(policy: Any, keys: dict[str, str]) -> None:
    for kind in ("instance", "volume", "security-group"):
        assert not allows(policy, ec2("CreateTags", kind, new_owner=OURS, **keys))
        assert not allows(policy, ec2("CreateTags", kind, new_owner=OURS, creating="CopySnapshot", **keys))


@pytest.mark.parametrize(("action", "kind"), [("TerminateInstances", "instance"), ("CreateVpc", "vpc")])
def test_other_regions_are_out_of_reach(policy: Any, action: str, kind: str) -> None:
    here = ec2(action, kind, owner=OURS, new_owner=OURS)
    assert allows(policy, here)
    there = {**here.keys, "aws:RequestedRegion": "us-east-1"}
    assert not allows(policy, Question(here.action, here.resource.replace(REGION, "us-east-1"), there))


@pytest.mark.parametrize("action", ["CreateRole", "PutRolePolicy", "PutRolePermissionsBoundary"])
def test_no_role_gets_rights_without_the_boundary(policy: Any, action: str) -> None:
    key = "iam:PermissionsBoundary"
    assert allows(policy, Question(f"iam:{action}", ROLE, {key: LIMIT}))
    for keys in (
        {},
        {key: f"arn:aws:iam::{ACCOUNT}:policy/wide"},
        {key: "arn:aws:iam::aws:policy/AdministratorAccess"},
    ):
        assert not allows(policy, Question(f"iam:{action}", ROLE, keys))
    assert not allows(policy, Question(f"iam:{action}", ROLE.replace("film-library", "payroll"), {key: LIMIT}))


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("DeleteRolePermissionsBoundary", ROLE),
        ("AttachRolePolicy", ROLE),
        *[(name, LIMIT) for name in ("CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion")],
        ("SetDefaultPolicyVersion", LIMIT),
        ("CreatePolicy", LIMIT),
        ("CreateUser", f"arn:aws:iam::{ACCOUNT}:user/film-library-x"),
        ("PassRole", f"arn:aws:iam::{ACCOUNT}:role/payroll"),
    ],
)
def test_the_boundary_stays(policy: Any, action: str, resource: str) -> None:
    keys = {"iam:PermissionsBoundary": LIMIT, "iam:PassedToService": "ec2.amazonaws.com"}
    assert not allows(policy, Question(f"iam:{action}", resource, keys))


@pytest.mark.parametrize("action", ["DeleteRolePermissionsBoundary", "CreatePolicyVersion", "SetDefaultPolicyVersion"])
def test_not_even_another_policy_moves_the_boundary(policy: Any, action: str) -> None:
    wide = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    resource = ROLE if "Role" in action else LIMIT
    assert not allows({"Statement": [*policy["Statement"], wide]}, Question(f"iam:{action}", resource))


@pytest.mark.parametrize(
    ("action", "resource", "may"),
    [
        ("s3:GetBucketObjectLockConfiguration", BUCKET, True),
        ("s3:PutBucketObjectLockConfiguration", BUCKET, False),
        ("s3:BypassGovernanceRetention", f"{BUCKET}/mongodb/hourly/a", False),
        ("s3:PutObjectLegalHold", f"{BUCKET}/mongodb/hourly/a", False),
        ("s3:PutObject", f"{BUCKET}/mongodb/a", True),
        ("s3:GetObject", f"{BUCKET}/mongodb/a", True),
        ("s3:ListBucket", BUCKET, True),
        ("s3:DeleteObject", f"{BUCKET}/mongodb/a", False),
        ("s3:GetObject", "arn:aws:s3:::payroll/a", False),
        ("s3:GetObject", "arn:aws:s3:::film-library-state/terraform.tfstate", False),
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/me", False),
        ("ec2:TerminateInstances", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1", False),
    ],
)
def test_a_role_with_every_right_has_those_of_the_boundary(
    boundary: Any, action: str, resource: str, may: bool
) -> None:
    """A role's rights are those that both its policies and its boundary allow; here its policies allow everything."""
    assert allows(boundary, Question(action, resource)) == may


@pytest.mark.parametrize(("key", "days", "may"), [("hourly/a", "1", True), ("hourly/a", "3", False), ("a", "1", False)])
def test_hosts_lock_hourly_backups_only_and_not_for_long(boundary: Any, key: str, days: str, may: bool) -> None:
    keys = {"s3:object-lock-remaining-retention-days": days}
    assert allows(boundary, Question("s3:PutObjectRetention", f"{BUCKET}/mongodb/{key}", keys)) == may
