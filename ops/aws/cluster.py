"""`make cluster-up|-plan|-stop|-start ENV=aws`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ops import ansible, inventory, restore, source, status
from ops.artifacts import sample_wheel
from ops.aws import account, costs, fleet, hosts, instances
from ops.aws.leftovers import Leftovers
from ops.aws.state import cluster_id, identity, open_state
from ops.aws.terraform import Plan, Terraform
from ops.errors import OpsError
from ops.locks import exclusive
from ops.paths import ANSIBLE
from ops.progress import PhaseError, Progress
from ops.renew import renew
from ops.run import guarded
from ops.settings import Settings

_INVENTORY = ANSIBLE / "inventories" / "aws" / "aws_ec2.yml"


def up(settings: Settings, variables: Mapping[str, str], request: restore.Request | None = None) -> int:
    """Builds the cluster and both apps, or continues where the last run ended; returns the exit code.

    With a request, a backup is restored into it.
    """
    began = time.monotonic()

    def work(progress: Progress) -> int:
        with progress.phase("Package source"):
            packages = source.choose(settings)
        with progress.phase("Terraform"):
            outputs = _apply(settings, variables, progress)
        found = hosts.of_outputs(outputs)
        with progress.phase("Hosts"):
            instances.start(account.region(), _ids(found))  # those that cluster-stop stopped
            hosts.wait_until_reachable(settings.env, found, _uptimes(found), progress.hint)
            common = inventory.write_common(
                settings,
                packages,
                admins=outputs["admin_cidrs"],
                public=outputs["public_cidrs"],
                backups=f"s3://{outputs['backup_bucket']}/{outputs['backup_prefix']}",
                region=outputs["region"],
            )
        with progress.phase("Ansible"):
            run = ansible.play(
                ["site.yml", *_sample(variables)],
                [_INVENTORY, common],
                progress,
                **_sample_file(variables),
                **(restore.BEFORE if request is not None else {}),
            )
        if request is not None:
            restore.into_new(reachable(settings), request, progress)
        progress.total(time.monotonic() - began, f"changed={run.changed}")
        run.show_reports()
        status.remember_phases(settings.env, progress.seconds)
        return _report(settings.env, progress)

    return _exclusively(settings.env, "up", work)


def plan(settings: Settings) -> int:
    """Shows what `up` would change and which resources cost money; changes nothing."""

    def work(progress: Progress) -> int:
        with progress.phase("Terraform"):
            terraform, planned = _plan(settings, progress)
        progress.say(terraform.plan_text())
        progress.say(costs.render(costs.items(planned.planned), account.region()))
        return 0

    return _exclusively(settings.env, "plan", work)


def stop(settings: Settings, variables: Mapping[str, str]) -> int:
    """Stops apps, routers and members in order, then the instances. FORCE=1: even if a replica set is degraded."""

    def work(progress: Progress) -> int:
        found = hosts.of_state(settings.env)
        states = instances.states(account.region(), _ids(found))
        running = [host for host in found if states[host.instance_id] == "running"]
        # Routers last: a repeated run then sees, by the router that still runs, that the members were stopped already.
        members, routers = _by_kind(running)
        if members:
            with progress.phase("Cluster"):
                _stop_cluster(settings.env, progress, force=variables.get("FORCE") == "1")
        with progress.phase("Instances"):
            instances.stop(account.region(), members)
            instances.stop(account.region(), routers)
        progress.say(
            "Stopped. Volumes and addresses stay, and cost money; `make cluster-start ENV=aws` starts it again."
        )
        return 0

    return _exclusively(settings.env, "stop", work)


def start(settings: Settings) -> int:
    """Starts the hosts with data, then the rest, and waits until every process is up."""

    def work(progress: Progress) -> int:
        found = hosts.of_state(settings.env)
        with progress.phase("Instances"):
            for ids in _by_kind(found):  # a router would only wait for the config servers
                instances.start(account.region(), ids)
            hosts.wait_until_reachable(settings.env, found, _uptimes(found), progress.hint)
        with progress.phase("Cluster"):
            ansible.play(["playbooks/start.yml"], _inventories(settings.env), progress)
        return _report(settings.env, progress)

    return _exclusively(settings.env, "start", work)


def renew_certificates(settings: Settings) -> int:
    """Renews the certificates of all hosts."""
    os.environ |= _of_the_cluster(settings.env)
    with account.errors():
        return renew(settings.env, _inventories(settings.env))


def inventories(settings: Settings) -> list[Path]:
    """The inventories of the running cluster."""
    os.environ |= _of_the_cluster(settings.env)
    return _inventories(settings.env)


def reachable(settings: Settings) -> restore.Cluster:
    """How `make restore` reaches the cluster."""
    os.environ |= _of_the_cluster(settings.env)
    return restore.Cluster(settings.env, partial(fleet.reach, settings.env), _inventories(settings.env))


def _report(env: str, progress: Progress) -> int:
    with fleet.reach(env) as reached:
        state = status.collect(env, reached)
    progress.say(status.render(state))
    return 0 if state.healthy else 1


def _ids(found: list[hosts.Ec2Host]) -> list[str]:
    return [host.instance_id for host in found]


def _uptimes(found: list[hosts.Ec2Host]) -> dict[str, float]:
    return instances.uptimes(account.region(), _ids(found))


def _by_kind(found: list[hosts.Ec2Host]) -> tuple[list[str], list[str]]:
    """Instance ids of hosts with data, and of routers."""
    members = [host.instance_id for host in found if "mongos" not in host.groups]
    return members, [host.instance_id for host in found if "mongos" in host.groups]


def _stop_cluster(env: str, progress: Progress, *, force: bool) -> None:
    try:
        extra = {"stop_force": "true"} if force else {}
        ansible.play(["playbooks/stop.yml"], _inventories(env), progress, **extra)
    except PhaseError as error:
        advice = "No instance was stopped. Repair the cluster (see `make cluster-status ENV=aws`), or use FORCE=1"
        raise PhaseError(str(error), [*(error.lines or []), advice]) from error


def _variables(settings: Settings) -> dict[str, Any]:
    """Terraform variables that override those in aws.tfvars."""
    shape = {"topology": settings.topology, "shard_count": settings.shards, "member_count": settings.members}
    return identity(settings.env) | shape


def _plan(settings: Settings, progress: Progress) -> tuple[Terraform, Plan]:
    terraform = open_state(settings.env, progress)
    if not terraform.resources():
        _refuse_lost_state(settings.env)
    return terraform, terraform.plan(_variables(settings))


def _refuse_lost_state(env: str) -> None:
    """Raises OpsError if the state is empty but the account isn't: the state is elsewhere, or lost."""
    found = Leftovers(account.region(), cluster_id(env)).find()
    if found:
        raise OpsError(
            f"the state is empty, but cluster {cluster_id(env)} has {len(found)} resources, such as {found[0]}: "
            f"restore its state, or remove them with `make cluster-down ENV={env}`"
        )


def _apply(settings: Settings, variables: Mapping[str, str], progress: Progress) -> dict[str, Any]:
    terraform, planned = _plan(settings, progress)
    if variables.get("ALLOW_LOSS") != "1":
        refuse_losses(planned)
    terraform.apply()
    return terraform.outputs()


def refuse_losses(planned: Plan) -> None:
    """Raises PhaseError if the plan destroys hosts, disks, addresses or the bucket, or stops several hosts at once."""
    if planned.losses:
        names = [f"    {name}: {' and '.join(planned.changes[name])}" for name in planned.losses]
        advice = [
            "Did TOPOLOGY, SHARDS, MEMBERS, zones or networks change? Change them back.",
            "Destroyed data is lost. ALLOW_LOSS=1 applies the plan anyway.",
        ]
        raise PhaseError("this would destroy things that may still be needed", [*names, *advice])
    if len(planned.stops) > 1:
        advice = [
            "A replica set with two members down takes no writes. Resize one host at a time, with",
            "host_instance_types; ALLOW_LOSS=1 stops them all at once.",
        ]
        raise PhaseError("this would stop several hosts at once", [f"    {name}" for name in planned.stops] + advice)


def _inventories(env: str) -> list[Path]:
    return [_INVENTORY, inventory.path_of(env)]


def _sample(variables: Mapping[str, str]) -> list[str]:
    """On AWS the sample catalogue is loaded only with SAMPLE=1, and never where a backup is restored."""
    wanted = variables.get("SAMPLE") == "1" and not variables.get("RESTORE")
    return ["playbooks/load_sample.yml"] if wanted else []


def _sample_file(variables: Mapping[str, str]) -> dict[str, str]:
    return {"load_sample_file": str(sample_wheel())} if _sample(variables) else {}


def _exclusively(env: str, verb: str, work: Callable[[Progress], int]) -> int:
    os.environ |= _of_the_cluster(env)
    advice = f"`make cluster-{verb} ENV={env}` continues from there; `make cluster-down ENV={env}` removes everything."
    with exclusive(env, wait=False):
        return guarded(f"{env}-{verb}", account.translating(work), advice=advice)


def _of_the_cluster(env: str) -> dict[str, str]:
    """Variables for Terraform's provider and the inventory plugin."""
    return {"AWS_REGION": account.region(), "FILM_LIBRARY_CLUSTER": cluster_id(env)}
