"""What a host's credentials allow with backups, and how long backups are locked; moto checks both like AWS.

It ignores conditions, so only terraform/tests shows that listing is limited to the prefix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.terraform.cluster import Cluster

BACKUP = "mongodb/2026-01-01/shard1"


@pytest.fixture(scope="module")
def cluster(new_cluster: Callable[..., Cluster]) -> Cluster:
    """The bucket and the role, without hosts."""
    cluster = new_cluster()
    cluster.workspace.set(cluster.variables)
    targets = [
        "-target=module.backup_bucket",
        "-target=aws_iam_instance_profile.backup",
        "-target=aws_iam_role_policy.backups",
    ]
    cluster.workspace.run("apply", "-auto-approve", *targets)
    return cluster


@pytest.fixture(scope="module")
def bucket(cluster: Cluster) -> str:
    """The bucket's name. Its policy is removed, because it requires TLS, which the emulation lacks."""
    name = str(cluster.workspace.outputs()["backup_bucket"])
    cluster.aws.client("s3").delete_bucket_policy(Bucket=name)
    return name


def test_a_locked_version_can_only_be_removed_explicitly(cluster: Cluster, bucket: str) -> None:
    s3 = cluster.aws.client("s3")
    version = s3.put_object(Bucket=bucket, Key="mongodb/other", Body=b"films")["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key="mongodb/other", VersionId=version)
    s3.delete_object(Bucket=bucket, Key="mongodb/other", VersionId=version, BypassGovernanceRetention=True)
    assert "Versions" not in s3.list_object_versions(Bucket=bucket, Prefix="mongodb/other")


@pytest.fixture(scope="module")
def host(cluster: Cluster, bucket: str) -> Any:
    """A boto3 client with the credentials of a router's instance; from now on moto enforces permissions."""
    (role,) = cluster.aws.client("iam").list_roles()["Roles"]
    assumed = cluster.aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="router-1")["Credentials"]
    client: Any = boto3.client
    s3 = client(
        "s3",
        endpoint_url=cluster.aws.endpoint,
        region_name=cluster.aws.region,
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
    )
    unchecked_requests = b"0"
    url, headers = f"{cluster.aws.endpoint}/moto-api/reset-auth", {"Content-Type": "text/plain"}
    urlopen(Request(url, unchecked_requests, headers)).close()  # noqa: S310 - loopback
    return s3


def test_hosts_put_and_get_backups(host: Any, bucket: str) -> None:
    host.put_object(Bucket=bucket, Key=BACKUP, Body=b"films")
    assert host.get_object(Bucket=bucket, Key=BACKUP)["Body"].read() == b"films"
    upload = host.create_multipart_upload(Bucket=bucket, Key=BACKUP)["UploadId"]
    host.upload_part(Bucket=bucket, Key=BACKUP, UploadId=upload, PartNumber=1, Body=b"films")
    host.abort_multipart_upload(Bucket=bucket, Key=BACKUP, UploadId=upload)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("put_object", {"Key": "terraform.tfstate", "Body": b""}),
        ("get_object", {"Key": "terraform.tfstate"}),
        ("delete_object", {"Key": BACKUP}),
        ("list_object_versions", {}),
        ("delete_bucket", {}),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Suspended"}}),
    ],
)
def test_hosts_do_nothing_else(host: Any, bucket: str, operation: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(host, operation)(Bucket=bucket, **arguments)
