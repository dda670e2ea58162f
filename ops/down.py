"""`make cluster-down`: removes an environment's hosts, network and data, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from ops import hosts, rotation, secrets
from ops.locks import exclusive
from ops.paths import ROOT, build_dir


def down(env: str, variables: Mapping[str, str]) -> list[str]:
    """Returns the names of what was removed. REMOVE_SECRETS=1 removes secrets, too, but the key of backups.

    Raises LockedError while another run uses the environment.
    """
    with exclusive(env, wait=False):
        return remove(env, secrets_too=variables.get("REMOVE_SECRETS") == "1")


def remove(env: str, *, secrets_too: bool) -> list[str]:
    """The same, for callers that hold the environment's lock.

    Keeps secrets unless `secrets_too`: people may have noted them elsewhere, or put them there by hand. Keeps backups.
    """
    removed = hosts.down(env)
    if build_dir(env).exists():
        shutil.rmtree(build_dir(env))
        removed.append(str(build_dir(env).relative_to(ROOT)))
    return removed + (secrets.remove(env) if secrets_too else rotation.forget(env))
