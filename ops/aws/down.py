"""`make cluster-down ENV=aws`: asks for confirmation, then removes everything that costs money."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from ops import confirm, rotation, secrets
from ops.aws import account
from ops.aws.backups import Buckets
from ops.aws.leftovers import Leftovers
from ops.aws.state import cluster_id, identity, open_state
from ops.aws.terraform import Terraform
from ops.errors import OpsError
from ops.locks import exclusive
from ops.paths import build_dir
from ops.progress import Progress
from ops.run import guarded

#: Terraform requires a value for every variable, even to destroy.
_UNUSED = {"admin_cidrs": ["127.0.0.1/32"]}

#: The bucket's address in the state.
_BUCKET = "module.backup_bucket"


@dataclass(frozen=True)
class _Existing:
    """What exists of a cluster, and which of its buckets are kept."""

    env: str
    terraform: Terraform
    buckets: Buckets
    leftovers: Leftovers
    kept: list[str]

    @classmethod
    def find(cls, env: str, progress: Progress, variables: Mapping[str, str]) -> _Existing:
        terraform = open_state(env, progress)
        region, identity = account.region(), cluster_id(env)
        buckets = Buckets(region, identity)
        return cls(env, terraform, buckets, Leftovers(region, identity), _kept_buckets(buckets, variables))

    @property
    def doomed_buckets(self) -> list[str]:
        return [name for name in self.buckets.names() if name not in self.kept]

    def doomed(self) -> list[str]:
        """Names of everything that will be removed."""
        found = sorted(self.leftovers.find()) + [f"bucket {name}" for name in self.doomed_buckets]
        return found or [resource["address"] for resource in self.terraform.resources()]


def down(env: str, variables: Mapping[str, str]) -> int:
    """Destroys everything with the cluster's tag; returns the exit code.

    CONFIRM=<env> replaces the interactive confirmation. If there are backups, BACKUPS must be `keep` or `delete`.
    REMOVE_SECRETS=1 removes passwords and keys, too, but that of backups. Raises LockedError.
    """

    def work(progress: Progress) -> int:
        with progress.phase("Find resources"):
            existing = _Existing.find(env, progress, variables)
            doomed, others = existing.doomed(), existing.leftovers.other_clusters()
        for other, count in others.items():
            progress.say(f"not touched: {count} instances of another cluster, {other}, which has its own secrets")
        if doomed:
            lines = ["This destroys, including all data:", *(f"  {name}" for name in doomed)]
            confirm.ask(env, variables, lines, "nothing was removed")
            _destroy(existing, progress)
            progress.say(
                "Nothing else is left that costs money." if existing.kept else "Nothing is left that costs money."
            )
        else:
            progress.say(f"nothing {'else ' if existing.kept else ''}to remove for {env}")
        for name in existing.kept:
            progress.say(f"kept, still costs money: bucket {name} with backups")
        for name in _forget(env, variables):
            progress.say(f"removed {name}")
        return 0

    os.environ["AWS_REGION"] = account.region()
    advice = f"`make cluster-down ENV={env}` continues from there."
    with exclusive(env, wait=False):
        return guarded(f"{env}-down", account.translating(work), advice=advice)


def _destroy(existing: _Existing, progress: Progress) -> None:
    terraform, buckets = existing.terraform, existing.buckets
    with progress.phase("Resources unknown to Terraform"):
        # First, because Terraform can't delete what they use: an unknown instance's security groups, for example.
        _report(progress, existing.leftovers.remove(known=terraform.identities()))
    with progress.phase("Terraform"):
        # A bucket that others can find is kept, or removed last: until the hosts are gone they write to it.
        found = existing.kept or existing.doomed_buckets
        if found and any(resource["address"].startswith(_BUCKET) for resource in terraform.resources()):
            terraform.forget(_BUCKET)
        if terraform.resources():
            terraform.destroy(identity(existing.env) | _UNUSED)
    with progress.phase("Leftovers"):
        for name in existing.doomed_buckets:
            progress.hint(f"emptying {name}")
            buckets.empty(name)
            buckets.remove(name)
            progress.say(f"removed bucket {name}")
        if remaining := existing.leftovers.find():
            raise OpsError(f"still there: {', '.join(remaining)}; run it again")


def _kept_buckets(buckets: Buckets, variables: Mapping[str, str]) -> list[str]:
    """Buckets to keep. Raises OpsError if there are backups and BACKUPS isn't set."""
    full = [name for name in buckets.names() if buckets.count(name)]
    choice = variables.get("BACKUPS", "")
    if full and choice not in ("keep", "delete"):
        counts = ", ".join(f"{name} contains {buckets.count(name)} versions of backups" for name in full)
        raise OpsError(f"BACKUPS={choice}: must be keep or delete, because {counts}")
    return full if choice == "keep" else []


def _report(progress: Progress, removed: list[str]) -> None:
    for name in removed:
        progress.say(f"removed {name}, left by an interrupted run")


def _forget(env: str, variables: Mapping[str, str]) -> list[str]:
    shutil.rmtree(build_dir(env), ignore_errors=True)
    return secrets.remove(env) if variables.get("REMOVE_SECRETS") == "1" else rotation.forget(env)
