"""`make cluster-down`: removes an environment's hosts, network and data, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from ops import hosts
from ops.locks import exclusive
from ops.paths import ROOT, build_dir, secrets_dir


def down(env: str, variables: Mapping[str, str]) -> list[str]:
    """Returns the names of what was removed. REMOVE_SECRETS=1 removes passwords and keys, too.

    Raises LockedError while another run uses the environment.
    """
    with exclusive(env, wait=False):
        return remove(env, secrets_too=variables.get("REMOVE_SECRETS") == "1")


def remove(env: str, *, secrets_too: bool) -> list[str]:
    """The same, for callers that hold the environment's lock.

    Keeps secrets unless `secrets_too`: people may have noted them elsewhere, or put them there by hand.
    """
    removed = hosts.down(env)
    directories = [build_dir(env), *([secrets_dir(env)] if secrets_too else [])]
    for directory in filter(lambda path: path.exists(), directories):
        shutil.rmtree(directory)
        removed.append(str(directory.relative_to(ROOT)))
    return removed
