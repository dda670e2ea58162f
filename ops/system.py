"""This machine's distribution according to bin/system, and the release that local hosts get.

Standard library only, because ops/preflight.py uses it before anything is installed.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ops.errors import OpsError
from ops.paths import ROOT

#: The code name of another release for new hosts than this machine's; for tests of future releases.
SUITE_VARIABLE = "HOST_SUITE"


class UnfitError(OpsError):
    """Local hosts can't run on this machine; the message says what can."""


@dataclass(frozen=True)
class System:
    """A distribution ("debian" or "ubuntu") and the code name of a release; `warning` is "" if it is tested."""

    distribution: str
    suite: str
    warning: str = ""


def own() -> System:
    """This machine's system. Raises UnfitError."""
    result = subprocess.run(["sh", str(ROOT / "bin" / "system")], check=False, capture_output=True, text=True)
    if result.returncode != 0:
        raise UnfitError(result.stderr.strip())
    distribution, suite = result.stdout.split()
    return System(distribution, suite, result.stderr.strip())


def of_hosts(variables: Mapping[str, str] = os.environ) -> System:
    """New local hosts' system: this machine's, or HOST_SUITE. Raises UnfitError."""
    suite = variables.get(SUITE_VARIABLE, "").strip()
    if suite and not re.fullmatch("[a-z]+", suite):
        raise UnfitError(f"{SUITE_VARIABLE}={suite}: must be a release's code name, such as trixie or noble")
    return replace(own(), suite=suite) if suite else own()
