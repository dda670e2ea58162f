"""Starts and stops instances; their addresses, disks and names stay. Errors are boto3's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3

#: Stopping takes a minute or two, seldom more.
_WAIT = {"Delay": 2, "MaxAttempts": 300}


def states(region: str, instance_ids: list[str]) -> dict[str, str]:
    """Instance id -> EC2's state (running, stopped, ...)."""
    return {each["InstanceId"]: each["State"]["Name"] for each in _describe(region, instance_ids)}


def uptimes(region: str, instance_ids: list[str]) -> dict[str, float]:
    """Instance id -> seconds since its last start."""
    now = datetime.now(UTC)
    return {each["InstanceId"]: (now - each["LaunchTime"]).total_seconds() for each in _describe(region, instance_ids)}


def stop(region: str, instance_ids: list[str]) -> None:
    """Shuts instances down and waits until they are stopped."""
    _switch(region, instance_ids, "instance_stopped", lambda client, ids: client.stop_instances(InstanceIds=ids))


def start(region: str, instance_ids: list[str]) -> None:
    """Starts instances and waits until they are running, which is before ssh responds."""
    _switch(region, instance_ids, "instance_running", lambda client, ids: client.start_instances(InstanceIds=ids))


def _describe(region: str, instance_ids: list[str]) -> list[dict[str, Any]]:
    pages = _client(region).get_paginator("describe_instances").paginate(InstanceIds=instance_ids)
    return [instance for page in pages for group in page["Reservations"] for instance in group["Instances"]]


def _switch(region: str, instance_ids: list[str], waiter: str, act: Callable[[Any, list[str]], object]) -> None:
    if not instance_ids:
        return
    client: Any = _client(region)
    act(client, instance_ids)
    client.get_waiter(waiter).wait(InstanceIds=instance_ids, WaiterConfig=_WAIT)


def _client(region: str) -> Any:
    return boto3.client("ec2", region_name=region)
