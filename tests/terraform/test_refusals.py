"""Error messages for invalid variables: which variable, which value, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.terraform.cluster import Cluster
from tests.terraform.workspace import TerraformError


@pytest.fixture(scope="module")
def refusal(new_cluster: Callable[..., Cluster]) -> Callable[..., str]:
    """Plans with variables, which must fail, and returns Terraform's output on one line."""
    cluster = new_cluster()

    def refuse(**variables: Any) -> str:
        with pytest.raises(TerraformError) as refused:
            cluster.workspace.plan(cluster.variables | variables)
        return " ".join(str(refused.value).split())

    return refuse


def test_wide_admin_cidrs_are_refused_with_the_reason(refusal: Callable[..., str]) -> None:
    message = refusal(
        admin_cidrs=["198.51.100.7/32", "0.0.0.0/0", "10.0.0.0/15", "::/0", "203.0.113.7/24", "everywhere"]
    )
    for part in [
        "admin_cidrs: 0.0.0.0/0, 10.0.0.0/15, ::/0: wider than /16. That would open ssh, mongos and",
        "admin_cidrs: ::/0: not allowed for ssh, mongos and the admin app",
        "admin_cidrs: 203.0.113.7/24, everywhere: must be an IPv4 network without host bits",
    ]:
        assert part in message


def test_all_wrong_values_are_reported_at_once(refusal: Callable[..., str]) -> None:
    message = refusal(
        admin_cidrs=["0.0.0.0/0"],
        availability_zones=["eu-central-1a", "eu-central-1b"],
        data_volume={"encrypted": False},
        member_count=4,
        topology="ring",
    )
    for part in [
        "0.0.0.0/0: wider than /16",
        "availability_zones: eu-central-1a, eu-central-1b are fewer than three different zones",
        "data_volume: encrypted must be true",
        "member_count: 4 must be one of 3, 5, 7",
        'topology: unknown "ring", expected one of compact, dedicated',
    ]:
        assert part in message


def test_all_contradictions_are_reported_at_once(refusal: Callable[..., str]) -> None:
    message = refusal(
        admin_cidrs=["10.20.3.0/24"],
        availability_zones=["eu-central-1a", "eu-central-1b", "us-east-1c"],
        backup_force_destroy=True,
        backup_lock_days=60,
        backup_lock_mode="COMPLIANCE",
        host_instance_types={"shard1-1": "t3.large"},
    )
    for part in [
        "availability_zones: us-east-1c isn't a zone of the region eu-central-1",
        "host_instance_types: there is no host shard1-1; there are mongo-1, mongo-2, mongo-3, router-1",
        "admin_cidrs: 10.20.3.0/24 overlaps with vpc_cidr 10.20.0.0/16",
        "backup_lock_days: 60 is more than backup_retention_days, 35",
        "backup_force_destroy: can't be true with backup_lock_mode COMPLIANCE",
    ]:
        assert part in message
    assert message.count("Error:") == 1
