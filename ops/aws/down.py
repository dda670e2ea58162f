"""`make cluster-down ENV=aws`: after a typed word, nothing is left that costs money."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from ops.aws import account
from ops.aws.backups import Buckets
from ops.aws.leftovers import Leftovers
from ops.aws.state import cluster_id, identity, open_state
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


@dataclass(frozen=True)
class _There:
    """What there is of a cluster, and the buckets of it that stay."""

    env: str
    terraform: Terraform
    buckets: Buckets
    leftovers: Leftovers
    kept: list[str]

    @classmethod
    def find(cls, env: str, progress: Progress, variables: Mapping[str, str]) -> _There:
        terraform = open_state(env, progress)
        region, identity = account.region(), cluster_id(env)
        buckets = Buckets(region, identity)
        return cls(env, terraform, buckets, Leftovers(region, identity), _kept_buckets(buckets, variables))

    @property
    def doomed_buckets(self) -> list[str]:
        return [name for name in self.buckets.names() if name not in self.kept]

    def doomed(self) -> list[str]:
        """Everything that goes, as people know it."""
        found = sorted(self.leftovers.find()) + [f"bucket {name}" for name in self.doomed_buckets]
        return found or [resource["address"] for resource in self.terraform.resources()]


def down(env: str, variables: Mapping[str, str]) -> int:
    """Destroys all that carries the cluster's tag; returns the exit code.

    CONFIRM=<env> takes the place of the typed word. When there are backups, BACKUPS says what becomes of them: `keep`
    or `delete`. REMOVE_SECRETS=1 removes passwords and keys too. Raises LockedError.
    """

    def work(progress: Progress) -> int:
        with progress.phase("What there is"):
            there = _There.find(env, progress, variables)
            doomed, others = there.doomed(), there.leftovers.other_clusters()
        for other, count in others.items():
            progress.say(f"not touched: {count} instances of another cluster, {other}, with secrets of its own")
        if doomed:
            _confirm(env, doomed, variables)
            _destroy(there, progress)
            progress.say(
                "Nothing else is left that costs money." if there.kept else "Nothing is left that costs money."
            )
        else:
            progress.say(f"nothing {'else ' if there.kept else ''}of {env} is there")
        for name in there.kept:
            progress.say(f"kept, and paid for: bucket {name} with backups")
        _forget(env, variables)
        return 0

    os.environ["AWS_REGION"] = account.region()
    advice = f"`make cluster-down ENV={env}` goes on from there."
    with exclusive(env, wait=False):
        return guarded(f"{env}-down", account.telling(work), advice=advice)


def _destroy(there: _There, progress: Progress) -> None:
    terraform, buckets = there.terraform, there.buckets
    with progress.phase("What Terraform doesn't know"):
        # First, because it may hold what Terraform knows: a stray instance its security groups.
        _tell(progress, there.leftovers.remove(known=terraform.identities()))
    with progress.phase("Terraform"):
        for name in there.doomed_buckets:
            progress.hint(f"emptying {name}")
            buckets.empty(name)
        if there.kept and any(resource["address"].startswith(_BUCKET) for resource in terraform.resources()):
            terraform.forget(_BUCKET)
        if terraform.resources():
            terraform.destroy(identity(there.env) | _UNUSED)
    with progress.phase("What is left"):
        for name in there.doomed_buckets:
            buckets.remove(name)
            _tell(progress, [f"bucket {name}"])
        if remaining := there.leftovers.find():
            raise OpsError(f"still there: {', '.join(remaining)}; run it again")


def _kept_buckets(buckets: Buckets, variables: Mapping[str, str]) -> list[str]:
    """Buckets that stay. Raises OpsError when there are backups and nobody said what is to become of them."""
    full = [name for name in buckets.names() if buckets.count(name)]
    choice = variables.get("BACKUPS", "")
    if full and choice not in ("keep", "delete"):
        counts = ", ".join(f"{name} holds {buckets.count(name)} versions of backups" for name in full)
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
