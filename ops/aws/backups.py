"""The buckets for backups. One that isn't empty is only removed on explicit request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
from botocore.exceptions import ClientError

from ops.aws.leftovers import TAG
from ops.errors import OpsError

_NAMES = "film-library-"


class BackupError(OpsError):
    """S3 refused; the message has its reason."""


class Buckets:
    """The buckets with a cluster's tag."""

    def __init__(self, region: str, cluster_id: str) -> None:
        make: Any = boto3.client
        self._s3: Any = make("s3", region_name=region)
        self._tag = {"Key": TAG, "Value": cluster_id}

    def names(self) -> list[str]:
        """All the cluster's buckets."""
        named = (bucket["Name"] for bucket in self._s3.list_buckets()["Buckets"])
        return [name for name in named if name.startswith(_NAMES) and self._tag in self._tags(name)]

    def _tags(self, name: str) -> list[dict[str, str]]:
        try:
            return list(self._s3.get_bucket_tagging(Bucket=name)["TagSet"])
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchTagSet", "NoSuchBucket"):
                return []  # no tags, or deleted since it was listed
            raise

    def count(self, name: str) -> int:
        """The number of object versions and delete markers in the bucket."""
        return sum(1 for _ in self._versions(name))

    def empty(self, name: str) -> None:
        """Deletes every version of every object, held ones too. Raises BackupError if S3 refuses (compliance mode)."""
        batch: list[dict[str, str]] = []
        for version in self._versions(name):
            batch.append(version)
            if len(batch) == 1000:  # S3's limit per request
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
        if refused := self._try_to_delete(name, versions):
            refused = self._try_to_delete(name, self._release(name, {error["Key"] for error in refused}))
        for answer in refused:
            raise BackupError(f"{name}/{answer['Key']}: {answer['Message']} ({answer['Code']})")

    def _release(self, name: str, keys: set[str]) -> list[dict[str, str]]:
        """Ends the legal holds of what `make backup-verify` has verified; returns the keys' versions."""
        found = []
        for key in keys:
            for version in self._s3.list_object_versions(Bucket=name, Prefix=key).get("Versions", []):
                which = {"Key": version["Key"], "VersionId": version["VersionId"]}
                try:
                    self._s3.put_object_legal_hold(Bucket=name, LegalHold={"Status": "OFF"}, **which)
                except ClientError as error:
                    raise BackupError(f"{name}/{key}: {error}") from error
                found.append(which)
        return found

    def _try_to_delete(self, name: str, versions: list[dict[str, str]]) -> list[dict[str, str]]:
        """Returns S3's errors."""
        answer = self._s3.delete_objects(
            Bucket=name, Delete={"Objects": versions, "Quiet": True}, BypassGovernanceRetention=True
        )
        return list(answer.get("Errors", []))
