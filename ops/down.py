"""`make cluster-down`: removes an environment's hosts, network and data, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from ops import hosts
from ops.locks import exclusive
from ops.paths import ROOT, build_dir, secrets_dir


def down(env: str, variables: Mapping[str, str]) -> list[str]:
    """Returns what was removed; empty when there was nothing. REMOVE_SECRETS=1 removes passwords and keys too.

    Raises LockedError while a run works on the environment.
    """
    with exclusive(env, wait=False):
        return remove(env, secrets_too=variables.get("REMOVE_SECRETS") == "1")


def remove(env: str, *, secrets_too: bool) -> list[str]:
    """The same, for whoever holds the environment's lock.

    Secrets stay unless `secrets_too`: they are people's as much as the cluster's, written down elsewhere or put there
    by hand.
    """
    removed = hosts.down(env)
    directories = [build_dir(env), *([secrets_dir(env)] if secrets_too else [])]
    for directory in filter(lambda path: path.exists(), directories):
        shutil.rmtree(directory)
        removed.append(str(directory.relative_to(ROOT)))
    return removed
