"""Which distribution this machine has, as bin/system says, and which release of it local hosts get.

Standard library only, because ops/preflight.py asks before anything is installed.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ops.errors import OpsError
from ops.paths import ROOT

#: Another release than this machine's own for new hosts, by its code name; for tests of releases to come.
SUITE_VARIABLE = "HOST_SUITE"


class UnfitError(OpsError):
    """Local hosts can't run on this machine; the message says what does."""


@dataclass(frozen=True)
class System:
    """A distribution, "debian" or "ubuntu", and a release of it by its code name; `warning` is "" for a tested one."""

    distribution: str
    suite: str
    warning: str = ""


def own() -> System:
    """This machine's. Raises UnfitError."""
    result = subprocess.run(["sh", str(ROOT / "bin" / "system")], check=False, capture_output=True, text=True)
    if result.returncode != 0:
        raise UnfitError(result.stderr.strip())
    distribution, suite = result.stdout.split()
    return System(distribution, suite, result.stderr.strip())


def of_hosts(variables: Mapping[str, str] = os.environ) -> System:
    """What new local hosts get: this machine's own, or HOST_SUITE's. Raises UnfitError."""
    suite = variables.get(SUITE_VARIABLE, "").strip()
    if suite and not re.fullmatch("[a-z]+", suite):
        raise UnfitError(f"{SUITE_VARIABLE}={suite}: must be the code name of a release, such as trixie or noble")
    return replace(own(), suite=suite) if suite else own()
