"""A shared state as documented: the unchanged example files, plus the emulation's address."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from tests.terraform.cluster import Cluster
from tests.terraform.workspace import VARIABLES, TerraformError

BUCKET = "your-terraform-states"  # the example's


def test_the_state_is_in_a_bucket_and_is_locked(new_cluster: Callable[..., Cluster]) -> None:
    cluster = new_cluster()
    workspace, s3 = cluster.workspace, cluster.aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    shutil.copy(workspace.directory / "backend_override.tf.example", workspace.directory / "backend_override.tf")
    example = workspace.directory / "environments/aws.s3.tfbackend.example"
    emulation = [
        f'endpoints={{s3="{cluster.aws.endpoint}"}}',
        "use_path_style=true",
        "skip_credentials_validation=true",
    ]
    emulation.append("skip_requesting_account_id=true")
    options = [f"-backend-config={option}" for option in [example, *emulation]]
    workspace.run("init", "-reconfigure", *options)

    workspace.set(VARIABLES)
    workspace.run("apply", "-auto-approve", "-target=aws_key_pair.admin")
    assert _objects(s3) == ["film-library/aws.tfstate"]

    s3.put_object(Bucket=BUCKET, Key="film-library/aws.tfstate.tflock", Body=b'{"ID": "somebody else"}')
    with pytest.raises(TerraformError, match="Error acquiring the state lock"):
        workspace.plan(VARIABLES)


def _objects(s3: object) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]  # type: ignore[attr-defined]
