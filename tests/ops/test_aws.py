"""ENV=aws, without AWS."""

from __future__ import annotations

import re
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import inventory, ssh
from ops.aws import account, cluster, costs, hosts, state
from ops.aws.backups import BackupError, Buckets
from ops.aws.terraform import Plan
from ops.errors import OpsError
from ops.progress import PhaseError
from ops.settings import Settings
from ops.source import PackageSource
from tests.s3 import FaultyS3

PACKAGES = PackageSource(
    "mirror", "8.0", "http://192.0.2.80", "noble/mongodb-org/8.0", "multiverse", Path("/keys/one.asc")
)


def resource(kind: str, **values: Any) -> dict[str, Any]:
    return {"type": kind, "values": values}


def test_the_plan_counts_what_costs_money() -> None:
    disk = [{"volume_size": 12, "iops": None, "throughput": None}]
    resources = [
        *[resource("aws_instance", instance_type="t3.large", root_block_device=disk)] * 3,
        resource("aws_instance", instance_type="x9.huge", root_block_device=disk),
        *[resource("aws_ebs_volume", size=100, iops=4000, throughput=225)] * 3,
        *[resource("aws_eip")] * 4,
        resource("aws_vpc"),
        {"type": "aws_iam_policy_document"},  # a data source that is read during apply has no values
    ]
    found = costs.items(resources)
    assert found == {
        "instance t3.large": 3,
        "instance x9.huge": 1,
        "volume gp3 12 GB, 3000 IOPS, 125 MB/s": 4,
        "volume gp3 100 GB, 4000 IOPS, 225 MB/s": 3,
        "public IPv4 address": 4,
    }
    text = costs.render(found, "eu-west-1")
    assert re.search(r"^instance x9.huge +1$", text, re.MULTILINE)
    assert "Prices in eu-west-1: https://calculator.aws" in text


def plan(**actions: list[str]) -> Plan:
    changes = [
        {"address": f"{kind}.one", "type": kind, "change": {"actions": verbs}} for kind, verbs in actions.items()
    ]
    return Plan({"resource_changes": changes})


def test_a_plan_that_loses_data_is_refused() -> None:
    losing = plan(aws_ebs_volume=["delete", "create"], aws_security_group=["delete"], aws_vpc=["no-op"])
    assert losing.losses == ["aws_ebs_volume.one"]
    with pytest.raises(PhaseError, match="destroy") as refused:
        cluster.refuse_losses(losing)
    assert refused.value.lines is not None
    assert "aws_ebs_volume.one: delete and create" in refused.value.lines[0]


def test_a_tainted_resource_may_be_replaced() -> None:
    tainted = plan(aws_instance=["delete", "create"])
    tainted.content["resource_changes"][0]["action_reason"] = "replace_because_tainted"
    cluster.refuse_losses(tainted)


def resized(*hosts: str) -> Plan:
    change = {"actions": ["update"], "before": {"instance_type": "t3.large"}, "after": {"instance_type": "m7i.large"}}
    return Plan({"resource_changes": [{"address": name, "type": "aws_instance", "change": change} for name in hosts]})


def test_a_plan_that_stops_several_hosts_is_refused() -> None:
    cluster.refuse_losses(resized("mongo-3"))
    with pytest.raises(PhaseError, match="stop several hosts at once"):
        cluster.refuse_losses(resized("mongo-2", "mongo-3"))


def test_a_plan_that_creates_or_repairs_is_accepted() -> None:
    cluster.refuse_losses(plan(aws_instance=["create"], aws_eip=["update"], aws_volume_attachment=["delete"]))


def test_the_state_of_another_cluster_is_refused(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    state.refuse_another_cluster("aws", {})  # before the first apply
    state.refuse_another_cluster("aws", {"region": "eu-west-1", "cluster_id": state.cluster_id("aws")})
    with pytest.raises(OpsError, match="the cluster is in us-east-1; set AWS_REGION=us-east-1"):
        state.refuse_another_cluster("aws", {"region": "us-east-1"})
    with pytest.raises(OpsError, match="get secrets/aws from the cluster's creator"):
        state.refuse_another_cluster("aws", {"region": "eu-west-1", "cluster_id": "aws-00000000"})


def test_hosts_of_outputs() -> None:
    outputs = {
        "hosts": {
            "router-1": {
                "instance_id": "i-1",
                "public_ip": "203.0.113.9",
                "private_ip": "10.20.0.31",
                "groups": ["mongos", "web"],
            }
        }
    }
    assert hosts.of_outputs(outputs) == [
        hosts.Ec2Host("router-1", "i-1", "203.0.113.9", "10.20.0.31", ("mongos", "web"))
    ]
    assert hosts.of_outputs({}) == []


def test_host_keys_belong_to_instances_and_the_inventory_lists_no_hosts(sandbox: Path) -> None:
    path = inventory.write_common(
        Settings.read({"ENV": "aws"}),
        PACKAGES,
        admins=["203.0.113.0/28"],
        public=["0.0.0.0/0"],
        backups="s3://bucket/mongodb",
        region="eu-central-1",
    )
    written = yaml.safe_load(path.read_text())["all"]
    assert set(written) == {"vars"}
    assert written["vars"]["ansible_ssh_common_args"].endswith("-o HostKeyAlias={{ instance_id }}")
    assert "StrictHostKeyChecking accept-new" in ssh.config("aws").read_text()
    assert written["vars"]["mongodb_apt_uri"] == "http://192.0.2.80"
    assert written["vars"]["cluster_admin_networks"] == ["203.0.113.0/28"]
    assert written["vars"]["cluster_public_networks"] == ["0.0.0.0/0"]
    assert written["vars"]["cluster_backup_store"] == "s3://bucket/mongodb"
    assert written["vars"]["cluster_backup_region"] == "eu-central-1"


def test_the_cluster_id_is_generated_once(sandbox: Path) -> None:
    first = state.cluster_id("aws")
    assert first.startswith("aws-")
    assert state.cluster_id("aws") == first


def test_the_cluster_id_can_be_given_if_the_secrets_are_lost(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER_ID", "aws-0a1b2c3d")
    assert state.cluster_id("aws") == "aws-0a1b2c3d"
    assert (sandbox / "secrets/aws").stat().st_mode & 0o777 == 0o700


def test_the_region_in_aws_tfvars_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.aws.tfvars.DIRECTORY", tmp_path)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert account.region() == "eu-west-1"
    (tmp_path / "aws.tfvars").write_text('region = "us-west-2" // ours\ntags = {\n  region = "Oregon"\n}\n')
    assert account.region() == "us-west-2"
    with pytest.raises(account.AccountError, match="AWS_REGION=eu-west-1: must be us-west-2"):
        account.identify()


@pytest.mark.parametrize(("mode", "may"), [("GOVERNANCE", True), ("COMPLIANCE", False)])
def test_a_bucket_with_locked_and_held_backups_is_emptied(
    monkeypatch: pytest.MonkeyPatch, mode: str, may: bool
) -> None:
    with FaultyS3() as s3:
        for name, value in s3.environment().items():
            monkeypatch.setenv(name, value)
        s3.client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
        until = datetime.now(UTC) + timedelta(days=1)
        for key, hold in (("a", "ON"), ("b", "OFF"), ("a", "OFF")):
            lock = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until, "ObjectLockLegalHoldStatus": hold}
            s3.client.put_object(Bucket="locked", Key=key, Body=b"x", ChecksumAlgorithm="CRC32", **lock)
        s3.client.delete_object(Bucket="locked", Key="b")
        buckets = Buckets("us-east-1", "aws-1")
        with nullcontext() if may else pytest.raises(BackupError, match="locked/"):
            buckets.empty("locked")
        assert buckets.count("locked") == (0 if may else 3)
