"""The resources in a plan that cost money. For prices, which change and differ by region, see AWS's calculator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ops.progress import table

CALCULATOR = "https://calculator.aws"


def items(resources: Iterable[dict[str, Any]]) -> Counter[str]:
    """How many instances by type, volumes by size and public addresses are among a plan's resources."""
    found: Counter[str] = Counter()
    for resource in resources:
        values = resource.get("values", {})  # a data source that is read during apply has none
        match resource["type"]:
            case "aws_instance":
                found[f"instance {values['instance_type']}"] += 1
                for disk in values.get("root_block_device") or []:
                    found[_volume(disk, "volume_size")] += 1
            case "aws_ebs_volume":
                found[_volume(values, "size")] += 1
            case "aws_eip":
                found["public IPv4 address"] += 1
    return found


def render(found: Counter[str], region: str) -> str:
    rows = [[name, str(count)] for name, count in sorted(found.items())]
    note = f"Prices in {region}: {CALCULATOR}. Traffic and the bucket for backups cost extra."
    return "\n".join([*table(["what you pay for", "count"], rows), note])


def _volume(values: dict[str, Any], size: str) -> str:
    # gp3 includes 3000 IOPS and 125 MB/s
    return f"volume gp3 {values[size]} GB, {values.get('iops') or 3000} IOPS, {values.get('throughput') or 125} MB/s"
