"""`make cluster-down ENV=aws`: after a typed word, nothing is left that costs money."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from ops.aws import account
from ops.aws.backups import Buckets
from ops.aws.cluster import cluster_id, identity
from ops.aws.leftovers import Leftovers
from ops.aws.terraform import Terraform
from ops.errors import OpsError
from ops.locks import exclusive
from ops.paths import build_dir, secrets_dir
from ops.progress import Progress
from ops.run import guarded

#: Terraform wants a value for every variable, also in order to destroy.
_UNUSED = {"admin_cidrs": ["127.0.0.1/32"]}

#: The bucket's place in the state.
_BUCKET = "module.backup_bucket"


def down(env: str, variables: Mapping[str, str]) -> int:
    """Destroys all that carries the cluster's tag; returns the exit code.

    CONFIRM=<env> takes the place of the typed word. When there are backups, BACKUPS says what becomes of them: `keep`
    or `delete`. REMOVE_SECRETS=1 removes passwords and keys too. Raises LockedError.
    """

    def work(progress: Progress) -> int:
        with progress.phase("What there is"):
            os.environ["AWS_REGION"] = account.region()
            terraform = Terraform(env, progress)
            terraform.init()
            region = str(terraform.outputs().get("region") or account.region())
            buckets, leftovers = Buckets(region, cluster_id(env)), Leftovers(region, cluster_id(env))
            kept = _kept_buckets(buckets, variables)
            doomed_buckets = [name for name in buckets.names() if name not in kept]
            doomed = sorted(leftovers.find()) + [f"bucket {name}" for name in doomed_buckets]
            others = leftovers.other_clusters()
        for other, count in others.items():
            progress.say(
                f"not touched: {count} instances of another cluster, {other}, which its own secrets/{env} belong to"
            )
        if not doomed and not terraform.resources():
            progress.say(f"nothing of {env} is there")
            return 0
        _confirm(env, doomed, variables)
        with progress.phase("What Terraform doesn't know"):
            # First, because it may hold what Terraform knows: a stray instance its security groups.
            _tell(progress, leftovers.remove(known=terraform.identities()))
        with progress.phase("Terraform"):
            for name in doomed_buckets:
                progress.hint(f"emptying {name}")
                buckets.empty(name)
            if kept and any(resource["address"].startswith(_BUCKET) for resource in terraform.resources()):
                terraform.forget(_BUCKET)
            if terraform.resources():
                terraform.destroy(identity(env) | {"region": region} | _UNUSED)
        with progress.phase("What is left"):
            for name in buckets.names():
                if name not in kept:
                    buckets.remove(name)
                    _tell(progress, [f"bucket {name}"])
            if remaining := leftovers.find():
                raise OpsError(f"still there: {', '.join(remaining)}; run it again")
        progress.say("Nothing else is left that costs money." if kept else "Nothing is left that costs money.")
        for name in kept:
            progress.say(f"kept, and paid for: bucket {name} with {buckets.count(name)} backups")
        _forget(env, variables)
        return 0

    advice = f"`make cluster-down ENV={env}` goes on from there."
    with exclusive(env, wait=False):
        return guarded(f"{env}-down", work, advice=advice)


def _kept_buckets(buckets: Buckets, variables: Mapping[str, str]) -> list[str]:
    """Buckets that stay. Raises OpsError when there are backups and nobody said what is to become of them."""
    full = [name for name in buckets.names() if buckets.count(name)]
    choice = variables.get("BACKUPS", "")
    if full and choice not in ("keep", "delete"):
        counts = ", ".join(f"{name} holds {buckets.count(name)} backups" for name in full)
        raise OpsError(f"BACKUPS={choice}: must be keep or delete, because {counts}")
    return full if choice == "keep" else []


def _confirm(env: str, doomed: list[str], variables: Mapping[str, str]) -> None:
    """Raises OpsError unless somebody typed the environment's name, or gave it as CONFIRM."""
    if variables.get("CONFIRM") == env:
        return
    if not sys.stdin.isatty():
        raise OpsError(
            f"CONFIRM={variables.get('CONFIRM', '')}: must be {env} where nobody can type it; nothing was removed"
        )
    print("This destroys, with all data:", *(f"  {name}" for name in doomed), sep="\n")
    if input(f"Type {env} to go on: ").strip() != env:
        raise OpsError("not confirmed; nothing was removed")


def _tell(progress: Progress, removed: list[str]) -> None:
    for name in removed:
        progress.say(f"removed {name}, which an interrupted run had left")


def _forget(env: str, variables: Mapping[str, str]) -> None:
    directories = [build_dir(env)]
    if variables.get("REMOVE_SECRETS") == "1":
        directories.append(secrets_dir(env))
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
