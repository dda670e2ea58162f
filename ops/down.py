"""`make cluster-down`: removes an environment's hosts, network, data and secrets, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from ops import hosts
from ops.locks import exclusive
from ops.paths import ROOT, build_dir, secrets_dir


def down(env: str, variables: Mapping[str, str]) -> list[str]:
    """Returns what was removed; empty when there was nothing. KEEP_SECRETS=1 keeps passwords and keys.

    Raises LockedError while a run works on the environment.
    """
    with exclusive(env, wait=False):
        removed = hosts.down(env)
        directories = [build_dir(env)]
        # Without the data that they open, the secrets are of no use; the next cluster makes its own.
        if variables.get("KEEP_SECRETS") != "1":
            directories.append(secrets_dir(env))
        for directory in filter(lambda path: path.exists(), directories):
            shutil.rmtree(directory)
            removed.append(str(directory.relative_to(ROOT)))
    return removed
