"""The buckets of backups, which outlive a hasty hand: nobody removes one that holds something without saying so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
from botocore.exceptions import ClientError

from ops.aws.leftovers import TAG
from ops.errors import OpsError

_NAMES = "film-library-"


class BackupError(OpsError):
    """S3 refused; the message holds its reason."""


class Buckets:
    """The buckets that carry a cluster's tag."""

    def __init__(self, region: str, cluster_id: str) -> None:
        make: Any = boto3.client
        self._s3: Any = make("s3", region_name=region)
        self._tag = {"Key": TAG, "Value": cluster_id}

    def names(self) -> list[str]:
        """Every bucket of the cluster."""
        named = (bucket["Name"] for bucket in self._s3.list_buckets()["Buckets"])
        return [name for name in named if name.startswith(_NAMES) and self._tag in self._tags(name)]

    def _tags(self, name: str) -> list[dict[str, str]]:
        try:
            return list(self._s3.get_bucket_tagging(Bucket=name)["TagSet"])
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchTagSet", "NoSuchBucket"):
                return []  # no tags, or gone since it was listed
            raise

    def count(self, name: str) -> int:
        """Objects in it, counting those that a later version hides."""
        return sum(1 for _ in self._versions(name))

    def empty(self, name: str) -> None:
        """Deletes every version of every object. Raises BackupError, as for versions locked in compliance mode."""
        batch: list[dict[str, str]] = []
        for version in self._versions(name):
            batch.append(version)
            if len(batch) == 1000:  # S3's limit for one request
                self._delete(name, batch)
                batch = []
        if batch:
            self._delete(name, batch)

    def remove(self, name: str) -> None:
        """Deletes an empty bucket. Raises BackupError."""
        try:
            self._s3.delete_bucket(Bucket=name)
        except ClientError as error:
            raise BackupError(f"{name}: {error}") from error

    def _versions(self, name: str) -> Iterator[dict[str, str]]:
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=name):
            for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                yield {"Key": version["Key"], "VersionId": version["VersionId"]}

    def _delete(self, name: str, versions: list[dict[str, str]]) -> None:
        answer = self._s3.delete_objects(
            Bucket=name, Delete={"Objects": versions, "Quiet": True}, BypassGovernanceRetention=True
        )
        for error in answer.get("Errors", []):
            raise BackupError(f"{name}/{error['Key']}: {error['Message']} ({error['Code']})")
