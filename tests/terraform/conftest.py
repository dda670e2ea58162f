"""Terraform with the current schema, and applied to an emulated EC2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulated_ec2.control_plane import ControlPlane
from tests.terraform import account, providers
from tests.terraform.cluster import Cluster
from tests.terraform.workspace import TERRAFORM, VARIABLES, Workspace


@pytest.fixture(scope="module")
def new_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Cluster]]:
    """Creates clusters that aren't applied yet, each in its own account; takes variables in addition to VARIABLES."""
    planes: list[ControlPlane] = []

    def make(**variables: Any) -> Cluster:
        aws = ControlPlane().__enter__()
        planes.append(aws)
        workspace = Workspace.emulated(tmp_path_factory.mktemp("emulated") / "terraform", aws.endpoint)
        return Cluster(aws, workspace, VARIABLES | variables, account.holdings(aws))

    yield make
    for plane in planes:
        plane.__exit__(None, None, None)


@pytest.fixture(scope="session")
def today(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """terraform/ with the current provider's schema."""
    directory: Path = tmp_path_factory.mktemp("today")
    return Workspace.today(directory / "terraform", providers.todays_mirror(directory / "mirror", TERRAFORM))
