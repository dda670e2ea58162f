"""Switching instances off and on. Their addresses, disks and names stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from ops.errors import OpsError

#: A stop takes AWS a minute or two, seldom more.
_WAIT = {"Delay": 2, "MaxAttempts": 300}


class InstanceError(OpsError):
    """EC2 refused, or an instance didn't reach the state that it was told to."""


def states(region: str, instance_ids: list[str]) -> dict[str, str]:
    """Instance id -> EC2's state (running, stopped ...). Raises InstanceError."""
    with _Errors():
        pages = _client(region).get_paginator("describe_instances").paginate(InstanceIds=instance_ids)
        found = [instance for page in pages for group in page["Reservations"] for instance in group["Instances"]]
    return {instance["InstanceId"]: instance["State"]["Name"] for instance in found}


def stop(region: str, instance_ids: list[str]) -> None:
    """Stops instances in good order and waits until they are off; those that are off stay so. Raises InstanceError."""
    _switch(region, instance_ids, "instance_stopped", lambda client, ids: client.stop_instances(InstanceIds=ids))


def start(region: str, instance_ids: list[str]) -> None:
    """Starts instances and waits until they run, which is before they answer. Raises InstanceError."""
    _switch(region, instance_ids, "instance_running", lambda client, ids: client.start_instances(InstanceIds=ids))


def _switch(region: str, instance_ids: list[str], waiter: str, act: Callable[[Any, list[str]], object]) -> None:
    if not instance_ids:
        return
    with _Errors():
        client: Any = _client(region)
        act(client, instance_ids)
        client.get_waiter(waiter).wait(InstanceIds=instance_ids, WaiterConfig=_WAIT)


def _client(region: str) -> Any:
    return boto3.client("ec2", region_name=region)


class _Errors:
    """Turns EC2's errors into InstanceError."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClientError | WaiterError):
            raise InstanceError(f"EC2: {error}") from error
