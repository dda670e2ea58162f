"""A local state moves to the shared one, and another cluster's state is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.aws.checkout import Checkout
from tests.emulated_ec2.control_plane import ControlPlane
from tests.terraform.account import holdings

BUCKET, KEY = "your-terraform-states", "film-library/aws.tfstate"  # the example's


def state_of(identity: str) -> dict[str, Any]:
    """A state without resources, with a cluster's id."""
    output = {"value": identity, "type": "string"}
    return {
        "version": 4,
        "terraform_version": "1.9.0",
        "serial": 7,
        "lineage": "5f0e0d0c-0000-4000-8000-000000000001",
        "outputs": {"cluster_id": output},
        "resources": [],
    }


def write_state(checkout: Checkout, state: dict[str, Any], identity: str) -> Path:
    secrets = checkout.directory / "secrets/aws"
    secrets.mkdir(parents=True, exist_ok=True)
    (secrets / "cluster_id").write_text(identity + "\n")
    path = secrets / "terraform.tfstate"
    path.write_text(json.dumps(state))
    return path


def test_a_local_state_moves_into_the_shared_one(aws: ControlPlane, checkout: Checkout) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": aws.region})
    path = write_state(checkout, state_of("aws-1"), "aws-1")
    terraform = checkout.directory / "terraform"
    shutil.copy(terraform / "backend_override.tf.example", terraform / "backend_override.tf")
    example = (terraform / "environments/aws.s3.tfbackend.example").read_text()
    emulation = "use_path_style = true\nskip_credentials_validation = true\nskip_requesting_account_id = true\n"
    (terraform / "environments/aws.s3.tfbackend").write_text(example + emulation)
    for _ in range(2):  # the second time there is nothing to move
        assert checkout.make_target("cluster-plan").returncode == 0
        shared = json.loads(s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read())
        assert shared["outputs"]["cluster_id"]["value"] == "aws-1"
        assert not path.exists()
        assert path.with_suffix(".moved").exists()


@pytest.mark.parametrize(
    "target",
    ["cluster-up", "cluster-down"]
    + [pytest.param(name, marks=pytest.mark.thorough) for name in ("cluster-plan", "cluster-stop", "cluster-start")],
)
def test_another_clusters_state_is_refused(aws: ControlPlane, checkout: Checkout, target: str) -> None:
    write_state(checkout, state_of("aws-theirs"), "aws-ours")
    before = holdings(aws)
    packages = {"SOURCE": "mirror", "MONGODB_VERSION": "6.0", "APT_KEY_FILE": "README.md"}
    packages |= dict.fromkeys(("APT_URI", "APT_SUITE", "APT_COMPONENT"), "none")
    result = checkout.make_target(target, CONFIRM="aws", **(packages if target == "cluster-up" else {}))
    assert result.returncode == 2
    assert "the state belongs to cluster aws-theirs, secrets/aws to aws-ours" in result.stdout
    assert holdings(aws) == before


def test_an_empty_state_for_an_existing_cluster_is_refused(aws: ControlPlane, checkout: Checkout) -> None:
    write_state(checkout, state_of("aws-1"), "aws-1")
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "Cluster", "Value": "aws-1"}]}]
    aws.client("ec2").create_volume(AvailabilityZone=f"{aws.region}a", Size=1, TagSpecifications=tags)
    result = checkout.make_target("cluster-plan")
    assert result.returncode == 2
    assert "the state is empty, but cluster aws-1 has 1 resources" in result.stdout
