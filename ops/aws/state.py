"""Terraform's state, which must belong to the cluster of these secrets and this region."""

from __future__ import annotations

import os
import secrets as random
from collections.abc import Mapping
from typing import Any

from ops import secrets
from ops.aws import account
from ops.aws.terraform import Terraform
from ops.errors import OpsError
from ops.progress import Progress


def open_state(env: str, progress: Progress | None = None) -> Terraform:
    """Terraform, initialised with this environment's state. Raises OpsError if the state is another cluster's."""
    terraform = Terraform(env, progress)
    terraform.init()
    refuse_another_cluster(env, terraform.outputs())
    return terraform


def cluster_id(env: str) -> str:
    """The tag of all the cluster's resources: generated once, or CLUSTER_ID if the secrets were lost."""
    path = secrets.ensure_ssh_key(env) / "cluster_id"
    secrets.write_private(path, (os.environ.get("CLUSTER_ID") or f"{env}-{random.token_hex(4)}") + "\n")
    return path.read_text().strip()


def identity(env: str) -> dict[str, Any]:
    """Terraform variables that identify the cluster."""
    key = secrets.ensure(env) / "ssh_key.pub"
    return {
        "environment": env,
        "cluster_id": cluster_id(env),
        "region": account.region(),
        "public_key": key.read_text().strip(),
    }


def refuse_another_cluster(env: str, outputs: Mapping[str, Any]) -> None:
    """Raises OpsError if a state's outputs name another cluster or region."""
    if outputs.get("cluster_id", cluster_id(env)) != cluster_id(env):
        raise OpsError(
            f"the state belongs to cluster {outputs['cluster_id']}, secrets/{env} to {cluster_id(env)}: "
            f"get secrets/{env} from the cluster's creator; with these, all its passwords and keys would change"
        )
    there = outputs.get("region", account.region())
    if there != account.region():
        raise OpsError(f"AWS_REGION={account.region()}: the cluster is in {there}; set AWS_REGION={there}")
