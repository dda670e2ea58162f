"""What a plan's instances, volumes and addresses will cost, as far as a list of prices can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ops.progress import table

HOURS_PER_MONTH = 730

#: USD: on-demand list prices of US East (N. Virginia), Linux, from AWS's EC2, EBS and VPC pricing pages as of 2025;
#: other regions differ, Frankfurt by some 15 to 20 %.
INSTANCE_HOUR = {
    "t3.micro": 0.0104,
    "t3.small": 0.0208,
    "t3.medium": 0.0416,
    "t3.large": 0.0832,
    "t3.xlarge": 0.1664,
    "m6i.large": 0.096,
    "m6i.xlarge": 0.192,
    "m6i.2xlarge": 0.384,
    "m7i.large": 0.1008,
    "m7i.xlarge": 0.2016,
    "r6i.large": 0.126,
    "r6i.xlarge": 0.252,
    "r6i.2xlarge": 0.504,
    "r7i.large": 0.1323,
    "r7i.xlarge": 0.2646,
}
GP3_GB_MONTH = 0.08
GP3_IOPS_MONTH, GP3_FREE_IOPS = 0.005, 3000
GP3_MBPS_MONTH, GP3_FREE_MBPS = 0.04, 125
ADDRESS_HOUR = 0.005


@dataclass(frozen=True)
class Item:
    """A line of the estimate; `month` is USD for all of `count`, None when the price isn't known."""

    what: str
    count: int
    month: float | None


def items(resources: Iterable[dict[str, Any]]) -> list[Item]:
    """The paid resources among those of a plan: instances by type, volumes by size, public addresses."""
    instances: Counter[str] = Counter()
    volumes: Counter[tuple[int, int, int]] = Counter()
    addresses = 0
    for resource in resources:
        values = resource.get("values", {})  # a data source that is only read later has none
        match resource["type"]:
            case "aws_instance":
                instances[values["instance_type"]] += 1
                for disk in values.get("root_block_device") or []:
                    volumes[_volume(disk, "volume_size")] += 1
            case "aws_ebs_volume":
                volumes[_volume(values, "size")] += 1
            case "aws_eip":
                addresses += 1
    lines = [Item(f"instance {kind}", count, _instances(kind, count)) for kind, count in sorted(instances.items())]
    lines += [
        Item(f"volume gp3 {size} GB, {iops} IOPS, {mbps} MB/s", count, count * _volume_month(size, iops, mbps))
        for (size, iops, mbps), count in sorted(volumes.items())
    ]
    return [*lines, Item("public IPv4 address", addresses, addresses * ADDRESS_HOUR * HOURS_PER_MONTH)]


def render(lines: list[Item]) -> str:
    """The estimate as a table with its total."""
    known = [line.month for line in lines if line.month is not None]
    rows = [
        [line.what, str(line.count), "price not known" if line.month is None else f"{line.month:.2f}"] for line in lines
    ]
    more = "" if len(known) == len(lines) else " and what has no price here"
    rows.append([f"total{more}", "", f"{sum(known):.2f}"])
    note = "List prices of us-east-1, on demand, while all runs. Other regions differ; traffic and backups come on top."
    return "\n".join([*table(["what you pay for", "count", "USD a month"], rows), note])


def _volume(values: dict[str, Any], size: str) -> tuple[int, int, int]:
    return int(values[size]), int(values.get("iops") or GP3_FREE_IOPS), int(values.get("throughput") or GP3_FREE_MBPS)


def _instances(kind: str, count: int) -> float | None:
    return count * INSTANCE_HOUR[kind] * HOURS_PER_MONTH if kind in INSTANCE_HOUR else None


def _volume_month(size: int, iops: int, mbps: int) -> float:
    more_iops, more_mbps = max(0, iops - GP3_FREE_IOPS), max(0, mbps - GP3_FREE_MBPS)
    return size * GP3_GB_MONTH + more_iops * GP3_IOPS_MONTH + more_mbps * GP3_MBPS_MONTH
