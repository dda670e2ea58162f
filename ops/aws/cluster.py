"""`make cluster-up|-plan|-stop|-start ENV=aws`."""

from __future__ import annotations

import os
import secrets as random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops import ansible, inventory, secrets, source, status
from ops.artifacts import sample_wheel
from ops.aws import account, estimate, hosts, instances
from ops.aws.terraform import Plan, Terraform
from ops.errors import OpsError
from ops.locks import exclusive
from ops.paths import ANSIBLE, secrets_dir
from ops.progress import PhaseError, Progress
from ops.run import guarded
from ops.settings import Settings

_INVENTORY = ANSIBLE / "inventories" / "aws" / "aws_ec2.yml"


def up(settings: Settings, variables: Mapping[str, str]) -> int:
    """From nothing, or from wherever the last run ended, to a cluster with both apps on it; returns the exit code."""
    began = time.monotonic()

    def work(progress: Progress) -> int:
        with progress.phase("Package source"):
            packages = source.choose(settings)
        with progress.phase("Terraform"):
            outputs = _apply(settings, variables, progress)
        fleet = hosts.of_outputs(outputs)
        with progress.phase("Hosts"):
            instances.start(account.region(), [host.instance_id for host in fleet])  # those that cluster-stop left
            hosts.wait_until_reachable(settings.env, fleet, progress.hint)
            common = inventory.write_common(settings.env, packages)
        with progress.phase("Ansible"):
            run = ansible.play(
                ["site.yml", *_sample(variables)], [_INVENTORY, common], progress, **_sample_file(variables)
            )
        progress.total(time.monotonic() - began, f"changed={run.changed}")
        run.tell_reports()
        status.remember_phases(settings.env, progress.seconds)
        state = status.collect(settings.env)
        progress.say(status.render(state))
        return 0 if state.healthy else 1

    return _exclusively(settings.env, "up", work)


def plan(settings: Settings) -> int:
    """Shows what `up` would change, and what all of it will cost; changes nothing."""

    def work(progress: Progress) -> int:
        with progress.phase("Terraform"):
            terraform = Terraform(settings.env, progress)
            planned = _plan(terraform, settings)
        progress.say(terraform.plan_text())
        progress.say(estimate.render(estimate.items(planned.planned)))
        return 0

    return _exclusively(settings.env, "plan", work)


def stop(settings: Settings, variables: Mapping[str, str]) -> int:
    """Stops apps, routers and members in order, then the instances. FORCE=1 does it with an ailing replica set too."""

    def work(progress: Progress) -> int:
        fleet = hosts.of_state(settings.env)
        ids = [host.instance_id for host in fleet]
        running = [key for key, state in instances.states(account.region(), ids).items() if state == "running"]
        if len(running) == len(ids):
            with progress.phase("Cluster"):
                force = {"quiesce_force": "true"} if variables.get("FORCE") == "1" else {}
                ansible.play(["playbooks/quiesce.yml"], _inventories(settings.env), progress, **force)
        with progress.phase("Instances"):
            instances.stop(account.region(), running)
        progress.say(
            "Everything is off. Volumes and addresses stay, and are paid for; `make cluster-start ENV=aws` goes on."
        )
        return 0

    return _exclusively(settings.env, "stop", work)


def start(settings: Settings) -> int:
    """Starts the hosts with data, then the rest, and waits until every process is up."""

    def work(progress: Progress) -> int:
        fleet = hosts.of_state(settings.env)
        with progress.phase("Instances"):
            # A router that is up before its config servers would only wait for them.
            for group in (False, True):
                ids = [host.instance_id for host in fleet if ("mongos" in host.groups) is group]
                instances.start(account.region(), ids)
            hosts.wait_until_reachable(settings.env, fleet, progress.hint)
        with progress.phase("Cluster"):
            ansible.play(["playbooks/resume.yml"], _inventories(settings.env), progress)
        state = status.collect(settings.env)
        progress.say(status.render(state))
        return 0 if state.healthy else 1

    return _exclusively(settings.env, "start", work)


def cluster_id(env: str) -> str:
    """What all of this cluster's resources are tagged with, made up once."""
    path = secrets_dir(env) / "cluster_id"
    path.parent.mkdir(parents=True, exist_ok=True)
    secrets.write_private(path, f"{env}-{random.token_hex(4)}\n")
    return path.read_text().strip()


def identity(env: str) -> dict[str, Any]:
    """The variables that say which cluster it is."""
    key = secrets.ensure(env) / "ssh_key.pub"
    return {"environment": env, "cluster_id": cluster_id(env), "public_key": key.read_text().strip()}


def _variables(settings: Settings) -> dict[str, Any]:
    """What Terraform is told over the people's own settings."""
    shape = {"topology": settings.topology, "shard_count": settings.shards, "member_count": settings.members}
    return identity(settings.env) | {"region": account.region()} | shape


def _plan(terraform: Terraform, settings: Settings) -> Plan:
    terraform.init()
    refuse_another_cluster(settings.env, terraform.outputs())
    return terraform.plan(_variables(settings))


def _apply(settings: Settings, variables: Mapping[str, str], progress: Progress) -> dict[str, Any]:
    terraform = Terraform(settings.env, progress)
    planned = _plan(terraform, settings)
    if variables.get("ALLOW_LOSS") != "1":
        refuse_losses(planned)
    terraform.apply()
    return terraform.outputs()


def refuse_another_cluster(env: str, outputs: Mapping[str, Any]) -> None:
    """Raises OpsError when the state is of a cluster that these secrets, or this region, don't belong to."""
    if outputs.get("cluster_id", cluster_id(env)) != cluster_id(env):
        raise OpsError(
            f"the state is of cluster {outputs['cluster_id']}, secrets/{env} of {cluster_id(env)}: "
            f"get secrets/{env} from whoever made the cluster, or all its passwords and keys would change"
        )
    there = outputs.get("region", account.region())
    if there != account.region():
        raise OpsError(f"AWS_REGION={account.region()}: the cluster is in {there}; set AWS_REGION={there}")


def refuse_losses(planned: Plan) -> None:
    if planned.losses:
        names = [f"    {name}: {' and '.join(planned.changes[name])}" for name in planned.losses]
        advice = "Keep TOPOLOGY, SHARDS and MEMBERS as they were; ALLOW_LOSS=1 does it all the same."
        raise PhaseError("this would destroy what somebody may miss", [*names, advice])


def _inventories(env: str) -> list[Path]:
    return [_INVENTORY, inventory.path_of(env)]


def _sample(variables: Mapping[str, str]) -> list[str]:
    """A production cluster gets its own films; SAMPLE=1 loads the sample catalogue all the same."""
    return ["playbooks/load_sample.yml"] if variables.get("SAMPLE") == "1" else []


def _sample_file(variables: Mapping[str, str]) -> dict[str, str]:
    return {"load_sample_file": str(sample_wheel())} if _sample(variables) else {}


def _exclusively(env: str, verb: str, work: Any) -> int:
    # For Terraform's provider and the inventory plugin.
    os.environ |= {"AWS_REGION": account.region(), "FILM_LIBRARY_CLUSTER": cluster_id(env)}
    advice = f"`make cluster-{verb} ENV={env}` goes on from there, `make cluster-down ENV={env}` removes what there is."
    with exclusive(env, wait=False):
        return guarded(f"{env}-{verb}", work, advice=advice)
