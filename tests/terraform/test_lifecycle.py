"""A compact cluster's life cycle with HashiCorp's provider. The tests run in order and build on each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.terraform import account
from tests.terraform.account_policy import BOUNDARY, POLICY, UNSEEN, granted_actions, iam_action
from tests.terraform.cluster import Cluster
from tests.terraform.iam import Question, allows, questions
from tests.terraform.workspace import Change, TerraformError

EVERYBODY = [{"IpProtocol": "tcp", "FromPort": 27017, "ToPort": 27019, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


@pytest.fixture(scope="module")
def cluster(new_cluster: Callable[..., Cluster]) -> Cluster:
    """Not applied yet; the first test does that."""
    return new_cluster(cluster_id="proof-1")


def test_a_failed_apply_is_continued_by_the_next_one(cluster: Cluster) -> None:
    ec2 = cluster.aws.client("ec2")
    ec2.create_key_pair(KeyName="film-library-proof-1")  # another one with our key's name
    with pytest.raises(TerraformError, match=r"KeyPair\.Duplicate"):
        cluster.workspace.apply(cluster.variables)
    assert cluster.instances() == {}
    ec2.delete_key_pair(KeyName="film-library-proof-1")
    half = account.holdings(cluster.aws) - cluster.before

    cluster.workspace.apply(cluster.variables)
    assert sorted(cluster.instances()) == ["mongo-1", "mongo-2", "mongo-3", "router-1"]
    assert len(half) > 10
    assert half <= account.holdings(cluster.aws), "existing resources were created again"


def test_a_second_plan_is_empty(cluster: Cluster) -> None:
    assert cluster.workspace.plan(cluster.variables) == []


def test_outputs_match_ec2(cluster: Cluster) -> None:
    outputs = cluster.workspace.outputs()
    assert outputs["hosts"] == {name: _host(instance) for name, instance in cluster.instances().items()}
    buckets = cluster.aws.client("s3").list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in buckets] == [outputs["backup_bucket"]]
    others = {name: outputs[name] for name in ("ssh_user", "region", "backup_prefix")}
    assert others == {"ssh_user": "ubuntu", "region": "eu-central-1", "backup_prefix": "mongodb"}


def _host(instance: dict[str, Any]) -> dict[str, Any]:
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    volumes = {mapping["DeviceName"]: mapping["Ebs"]["VolumeId"] for mapping in instance["BlockDeviceMappings"]}
    return {
        "instance_id": instance["InstanceId"],
        "private_ip": instance["PrivateIpAddress"],
        "public_ip": instance["PublicIpAddress"],
        "groups": tags["Groups"].split(","),
        "zone": instance["Placement"]["AvailabilityZone"],
        "instance_type": instance["InstanceType"],
        "data_volume_id": volumes.get("/dev/sdf"),
    }


def test_instances_are_tagged(cluster: Cluster) -> None:
    tags = [{tag["Key"]: tag["Value"] for tag in instance["Tags"]} for instance in cluster.instances().values()]
    owners = {(each["Project"], each["Environment"], each["Cluster"]) for each in tags}
    assert owners == {("film-library", "aws", "proof-1")}


def test_only_routers_have_credentials(cluster: Cluster) -> None:
    holders = {name for name, instance in cluster.instances().items() if "IamInstanceProfile" in instance}
    assert holders == {"router-1"}


def test_the_boundary_allows_what_hosts_need(cluster: Cluster) -> None:
    iam = cluster.aws.client("iam")
    (listed,) = iam.list_roles()["Roles"]
    role = iam.get_role(RoleName=listed["RoleName"])["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(":policy/film-library-boundary")
    own = iam.get_role_policy(RoleName=role["RoleName"], PolicyName="backups")["PolicyDocument"]
    boundary = json.loads(BOUNDARY.read_text())
    for statement in own["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        # What the statement itself demands, at its limit.
        keys = {key: value for wanted in statement.get("Condition", {}).values() for key, value in wanted.items()}
        asked = [Question(action, statement["Resource"], keys) for action in actions]
        assert [question for question in asked if not allows(boundary, question)] == []


def test_ports_opened_by_hand_are_closed(cluster: Cluster) -> None:
    """In groups with and without rules."""
    ec2, before = cluster.aws.client("ec2"), _rules(cluster)
    opened = ["router-access", "mongo-access", "mongo"]
    names = [f"film-library-proof-1-{suffix}" for suffix in opened]
    groups = ec2.describe_security_groups(Filters=[{"Name": "tag:Name", "Values": names}])["SecurityGroups"]
    assert len(groups) == len(opened)
    for group in groups:
        ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=EVERYBODY)
        ec2.authorize_security_group_egress(GroupId=group["GroupId"], IpPermissions=EVERYBODY)

    assert set(cluster.workspace.plan(cluster.variables)) == {
        Change('aws_security_group.access["router"]', ("update",)),
        Change('aws_security_group.access["mongo"]', ("update",)),
        Change('aws_security_group.identity["mongo"]', ("update",)),
    }
    cluster.workspace.apply(cluster.variables)
    assert _rules(cluster) == before


def _rules(cluster: Cluster) -> dict[str, Any]:
    """All groups' rules by id; their order doesn't matter."""
    groups = cluster.aws.client("ec2").describe_security_groups()["SecurityGroups"]
    return {
        group["GroupId"]: [sorted(map(repr, group[side])) for side in ("IpPermissions", "IpPermissionsEgress")]
        for group in groups
    }


def test_destroy_leaves_nothing(cluster: Cluster) -> None:
    """Not even backups, if requested."""
    bucket, s3 = cluster.workspace.outputs()["backup_bucket"], cluster.aws.client("s3")
    s3.delete_bucket_policy(Bucket=bucket)  # it requires TLS, which the emulation lacks
    s3.put_object(Bucket=bucket, Key="mongodb/backup", Body=b"films")
    cluster.workspace.apply(cluster.variables | {"backup_force_destroy": True})
    cluster.workspace.destroy()
    assert account.holdings(cluster.aws) == cluster.before


def test_the_accounts_policy_allows_every_request(cluster: Cluster) -> None:
    """All requests made in these tests, and few others."""
    used = {iam_action(request) for request in cluster.workspace.requests()} - {
        "sts:GetCallerIdentity"
    }  # for everybody
    assert len(used) > 60
    granted = granted_actions()
    assert {action for action in used if not any(fnmatchcase(action, pattern) for pattern in granted)} == set()
    changing = {action for action in granted if not action.endswith("*")}
    assert changing - used == UNSEEN.keys()


def test_its_conditions_allow_every_change(cluster: Cluster) -> None:
    policy = json.loads(POLICY.read_text())
    calls = [call for call in cluster.aws.calls() if call["terraform"]]
    asked = {question.action: question for call in calls for question in questions(call)}
    assert len(asked) > 35
    refused = [question for call in calls for question in questions(call) if not allows(policy, question)]
    assert refused == []
