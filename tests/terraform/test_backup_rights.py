"""What a host's credentials allow with backups, how long backups are locked, and how long they stay.

moto checks rights and locks like AWS, but ignores conditions, and takes a change of a lock for a PutObject: see
test_account_rights.py and terraform/tests for these.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError

from app.db.backups import ids
from app.db.backups.stores.s3 import HOURLY_LOCK
from tests.terraform.cluster import Cluster
from tests.terraform.life_cycle import Version, is_there

BACKUP = "mongodb/20260101T000000Z-1a2b3c/movies.bson.zst.age"
HOURLY = "mongodb/hourly/20260101T010000Z-hourly-1a2b3c/movies.bson.zst.age"


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
def rules(cluster: Cluster, bucket: str) -> Any:
    """The bucket's life cycle, as S3 says."""
    return cluster.aws.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]


@pytest.fixture(scope="module")
def lock(cluster: Cluster, bucket: str) -> timedelta:
    """How long the bucket locks what comes without a lock of its own."""
    found = cluster.aws.client("s3").get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    return timedelta(days=found["Rule"]["DefaultRetention"]["Days"])


NOW = datetime(2026, 12, 1, 12, 30, tzinfo=UTC)


def backup(written: datetime, lock: timedelta, overwritten: datetime | None = None) -> Version:
    """One of the hourly backups: the first of the day has another name."""
    if hourly := written.hour > 0:
        lock = HOURLY_LOCK
    place = "mongodb/hourly" if hourly else "mongodb"
    key = f"{place}/{ids.new_id(written, hourly=hourly)}/manifest.json"
    return Version(key, written, written + lock, overwritten)


def test_hourly_backups_stay_for_a_day_and_daily_ones_for_35(rules: Any, lock: timedelta) -> None:
    """And no longer than the next two midnights after that, when S3 removes what has expired."""
    ages = [timedelta(hours=number, minutes=30) for number in range(24 * 60)]
    there = {age for age in ages if is_there(rules, backup(NOW - age, lock), NOW)}
    daily = {age for age in ages if (NOW - age).hour == 0}
    assert {age for age in ages if age < timedelta(days=1)} <= there
    assert {age for age in daily if age < timedelta(days=35)} <= there
    assert max(there - daily) < timedelta(days=4)
    assert max(there & daily) < timedelta(days=38)


def test_changes_stay_as_long_as_the_backups_that_need_them(rules: Any, lock: timedelta) -> None:
    written = NOW - timedelta(days=34)
    assert is_there(rules, Version("mongodb/changes-1/00000001.json", written, written + lock), NOW)


@pytest.mark.parametrize("hours", [0, 1, 30])
def test_what_an_intruder_writes_over_stays_as_long(rules: Any, lock: timedelta, hours: int) -> None:
    for age, there in ((timedelta(hours=20), True), (timedelta(days=34), False)):
        for written in (NOW - age, (NOW - age).replace(hour=0)):
            over = written + timedelta(hours=hours)
            assert is_there(rules, backup(written, lock, over), NOW) == (there or written.hour == 0)


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
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": datetime.now(UTC) + HOURLY_LOCK}
    host.put_object(Bucket=bucket, Key=HOURLY, Body=b"films", ChecksumAlgorithm="CRC32", **lock)
    assert "Rule" in host.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("put_object", {"Key": "terraform.tfstate", "Body": b""}),
        ("get_object", {"Key": "terraform.tfstate"}),
        ("delete_object", {"Key": BACKUP}),
        ("delete_object", {"Key": HOURLY}),
        ("list_object_versions", {}),
        ("delete_bucket", {}),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Suspended"}}),
    ],
)
def test_hosts_do_nothing_else(host: Any, bucket: str, operation: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(host, operation)(Bucket=bucket, **arguments)
