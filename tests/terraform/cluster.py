"""An emulated account with a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.emulated_ec2.control_plane import ControlPlane
from tests.terraform.workspace import Workspace


@dataclass(frozen=True)
class Cluster:
    """An account for terraform/; `before` is what it contained before apply."""

    aws: ControlPlane
    workspace: Workspace
    variables: dict[str, Any]
    before: set[str]

    def instances(self) -> dict[str, dict[str, Any]]:
        """EC2's descriptions of the instances by name, without terminated ones."""
        reservations = self.aws.client("ec2").describe_instances()["Reservations"]
        found = [entry for reservation in reservations for entry in reservation["Instances"]]
        alive = [entry for entry in found if entry["State"]["Name"] != "terminated"]
        return {tag["Value"]: entry for entry in alive for tag in entry["Tags"] if tag["Key"] == "Name"}
