"""The verbs that change a running cluster, each a playbook of its own: `make cluster-restart`, `rotate-secrets`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from ops import ansible, rotation
from ops.errors import OpsError
from ops.locks import exclusive
from ops.progress import PhaseError, Progress
from ops.run import guarded


def restart(env: str, inventories: list[Path], variables: Mapping[str, str]) -> int:
    """Restarts every process one after the other; returns the exit code. Raises LockedError and OpsError.

    SHARDS_AT_ONCE: of how many shards a member may be down at once. FORCE=1 takes over another's lock. CHECK=1 only
    looks.
    """
    began = time.monotonic()
    at_once = _number(variables, "SHARDS_AT_ONCE", "1")
    check = variables.get("CHECK") == "1"

    def work(progress: Progress) -> int:
        with progress.phase("Ansible"):
            run = _change("playbooks/restart.yml", inventories, progress, check, restart_shards_at_once=at_once)
        run.show_reports()
        progress.total(time.monotonic() - began, "nothing was changed" if check else f"changed={run.changed}")
        return 0

    advice = f"`make cluster-restart ENV={env}` restarts everything, again; the cluster works meanwhile."
    with exclusive(env, wait=False):
        return guarded(f"{env}-restart", work, advice=advice)


def rotate(env: str, inventories: list[Path], variables: Mapping[str, str]) -> int:
    """Replaces the secrets that WHAT names; returns the exit code. Raises LockedError and OpsError.

    Completes an interrupted rotation first, whatever WHAT says. FORCE=1 takes over another's lock. CHECK=1 only looks.
    """
    began = time.monotonic()
    parts = rotation.parts_of(variables.get("WHAT", ""))

    def work(progress: Progress) -> int:
        found, check = rotation.pending(env), variables.get("CHECK") == "1"
        if check or not found:  # new secrets are made only where they can replace the old ones
            with progress.phase("Gate"):
                ansible.play(["playbooks/gate.yml"], inventories, progress, True, change_gate_verb="rotate-secrets")
        if check:
            what = " and ".join(found.parts if found else parts)
            progress.say(f"would {'complete replacing' if found else 'replace'} {what}")
            progress.total(time.monotonic() - began, "nothing was changed")
            return 0
        with progress.phase("Secrets"):
            replaced = rotation.begin(env, parts)
        with progress.phase("Ansible"):
            run = _change("playbooks/rotate_secrets.yml", inventories, progress)
        rotation.end(env, replaced)
        progress.total(time.monotonic() - began, f"changed={run.changed}")
        progress.say(f"Replaced: {' and '.join(replaced.parts)}. secrets/{env} has the new ones.")
        if left := [part for part in parts if part not in replaced.parts]:
            progress.say(f"An interrupted run was completed. Run the command again for {' and '.join(left)}.")
        return 1 if left else 0

    advice = f"`make rotate-secrets ENV={env}` completes it; until then secrets/{env} has the old and the new ones."
    with exclusive(env, wait=False):
        return guarded(f"{env}-rotate", work, advice=advice)


def _change(
    playbook: str, inventories: list[Path], progress: Progress, check: bool = False, **variables: str
) -> ansible.Run:
    """Runs a playbook that begins and ends at the gate. Ends there when interrupted, too, because Ansible doesn't."""
    try:
        return ansible.play([playbook], inventories, progress, check, **variables)
    except KeyboardInterrupt:
        if not check:
            _end(inventories, progress)
        raise


def _end(inventories: list[Path], progress: Progress) -> None:
    interrupted = progress.current
    progress.say("\nInterrupted: letting backups and balancer go on. Ctrl-C again leaves that to the next run.")
    try:
        ansible.play(["playbooks/end_change.yml"], inventories, progress)
    except (PhaseError, KeyboardInterrupt):
        progress.say("Backups and balancer are off and the cluster's lock is held until the next run, or cluster-up.")
    progress.rename(interrupted)


def _number(variables: Mapping[str, str], name: str, default: str) -> str:
    value = variables.get(name) or default
    if not value.isdecimal() or int(value) < 1:
        raise OpsError(f"{name}={value}: must be a number from 1")
    return value
