"""`make renew-certificates`: renews the certificates of an environment's hosts."""

from __future__ import annotations

import time
from pathlib import Path

from ops import ansible
from ops.locks import exclusive
from ops.progress import Progress
from ops.run import guarded


def renew(env: str, inventories: list[Path]) -> int:
    """Returns the exit code. Raises LockedError."""
    began = time.monotonic()

    def work(progress: Progress) -> int:
        with progress.phase("Ansible"):
            run = ansible.play(["playbooks/renew_certificates.yml"], inventories, progress)
        progress.total(time.monotonic() - began, f"changed={run.changed}")
        return 0

    advice = f"`make renew-certificates ENV={env}` renews them all; hosts that have new ones keep working meanwhile."
    with exclusive(env, wait=False):
        return guarded(f"{env}-renew-certificates", work, advice=advice)
