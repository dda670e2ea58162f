"""`make cluster-up|-plan|-stop|-start ENV=aws`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ops import ansible, inventory, source, status
from ops.artifacts import sample_wheel
from ops.aws import account, costs, fleet, hosts, instances
from ops.aws.leftovers import Leftovers
from ops.aws.state import cluster_id, identity, open_state
from ops.aws.terraform import Plan, Terraform
from ops.errors import OpsError
from ops.locks import exclusive
from ops.paths import ANSIBLE
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
        found = hosts.of_outputs(outputs)
        with progress.phase("Hosts"):
            instances.start(account.region(), _ids(found))  # those that cluster-stop left
            hosts.wait_until_reachable(settings.env, found, _uptimes(found), progress.hint)
            common = inventory.write_common(settings.env, packages)
        with progress.phase("Ansible"):
            run = ansible.play(
                ["site.yml", *_sample(variables)], [_INVENTORY, common], progress, **_sample_file(variables)
            )
        progress.total(time.monotonic() - began, f"changed={run.changed}")
        run.tell_reports()
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
    """Stops apps, routers and members in order, then the instances. FORCE=1 does it with an ailing replica set too."""

    def work(progress: Progress) -> int:
        found = hosts.of_state(settings.env)
        states = instances.states(account.region(), _ids(found))
        running = [host for host in found if states[host.instance_id] == "running"]
        # Routers last: while one runs, with nothing on it, a run that goes on here knows how far this one came.
        members, routers = _by_kind(running)
        if members:
            with progress.phase("Cluster"):
                _stop_cluster(settings.env, progress, force=variables.get("FORCE") == "1")
        with progress.phase("Instances"):
            instances.stop(account.region(), members)
            instances.stop(account.region(), routers)
        progress.say("Everything is off. Volumes and addresses stay and cost; `make cluster-start ENV=aws` goes on.")
        return 0

    return _exclusively(settings.env, "stop", work)


def start(settings: Settings) -> int:
    """Starts the hosts with data, then the rest, and waits until every process is up."""

    def work(progress: Progress) -> int:
        found = hosts.of_state(settings.env)
        with progress.phase("Instances"):
            for ids in _by_kind(found):  # a router without config servers would only wait for them
                instances.start(account.region(), ids)
            hosts.wait_until_reachable(settings.env, found, _uptimes(found), progress.hint)
        with progress.phase("Cluster"):
            ansible.play(["playbooks/start.yml"], _inventories(settings.env), progress)
        return _report(settings.env, progress)

    return _exclusively(settings.env, "start", work)


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
    """Instance ids of the hosts with data, and of the routers."""
    members = [host.instance_id for host in found if "mongos" not in host.groups]
    return members, [host.instance_id for host in found if "mongos" in host.groups]


def _stop_cluster(env: str, progress: Progress, *, force: bool) -> None:
    try:
        extra = {"stop_force": "true"} if force else {}
        ansible.play(["playbooks/stop.yml"], _inventories(env), progress, **extra)
    except PhaseError as error:
        advice = (
            "No instance was stopped. Mend it (`make cluster-status ENV=aws` shows it), or stop it as it is: FORCE=1"
        )
        raise PhaseError(str(error), [*(error.lines or []), advice]) from error


def _variables(settings: Settings) -> dict[str, Any]:
    """What Terraform is told over the people's own settings."""
    shape = {"topology": settings.topology, "shard_count": settings.shards, "member_count": settings.members}
    return identity(settings.env) | shape


def _plan(settings: Settings, progress: Progress) -> tuple[Terraform, Plan]:
    terraform = open_state(settings.env, progress)
    if not terraform.resources():
        _refuse_strays(settings.env)
    return terraform, terraform.plan(_variables(settings))


def _refuse_strays(env: str) -> None:
    """Raises OpsError when the state is empty and the account isn't: the state is somewhere else, or was lost."""
    strays = Leftovers(account.region(), cluster_id(env)).find()
    if strays:
        raise OpsError(
            f"the state is empty, but of cluster {cluster_id(env)} there are {len(strays)} things, as {strays[0]}: "
            f"bring its state back, or remove them by `make cluster-down ENV={env}`"
        )


def _apply(settings: Settings, variables: Mapping[str, str], progress: Progress) -> dict[str, Any]:
    terraform, planned = _plan(settings, progress)
    if variables.get("ALLOW_LOSS") != "1":
        refuse_losses(planned)
    terraform.apply()
    return terraform.outputs()


def refuse_losses(planned: Plan) -> None:
    """Raises PhaseError when the plan destroys what somebody may miss, or stops several hosts at once."""
    if planned.losses:
        names = [f"    {name}: {' and '.join(planned.changes[name])}" for name in planned.losses]
        advice = [
            "Did TOPOLOGY, SHARDS, MEMBERS, zones or networks change? Set them back as they were.",
            "Data on what is destroyed is gone. ALLOW_LOSS=1 does it all the same.",
        ]
        raise PhaseError("this would destroy what somebody may miss", [*names, *advice])
    if len(planned.stops) > 1:
        advice = [
            "A replica set with two members down takes no writes. Resize one host after the other, by",
            "host_instance_types; ALLOW_LOSS=1 stops them together.",
        ]
        raise PhaseError("this would stop several hosts at once", [f"    {name}" for name in planned.stops] + advice)


def _inventories(env: str) -> list[Path]:
    return [_INVENTORY, inventory.path_of(env)]


def _sample(variables: Mapping[str, str]) -> list[str]:
    """A production cluster gets its own films; SAMPLE=1 loads the sample catalogue all the same."""
    return ["playbooks/load_sample.yml"] if variables.get("SAMPLE") == "1" else []


def _sample_file(variables: Mapping[str, str]) -> dict[str, str]:
    return {"load_sample_file": str(sample_wheel())} if _sample(variables) else {}


def _exclusively(env: str, verb: str, work: Callable[[Progress], int]) -> int:
    # For Terraform's provider and the inventory plugin.
    os.environ |= {"AWS_REGION": account.region(), "FILM_LIBRARY_CLUSTER": cluster_id(env)}
    advice = f"`make cluster-{verb} ENV={env}` goes on from there, `make cluster-down ENV={env}` removes what there is."
    with exclusive(env, wait=False):
        return guarded(f"{env}-{verb}", account.telling(work), advice=advice)
