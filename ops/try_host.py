"""`make try-host`: do local hosts work here? Builds one, connects with ssh and Ansible, and removes it."""

from __future__ import annotations

import signal
import time

from ops import ansible, hosts, inventory, secrets
from ops.down import remove
from ops.locks import exclusive
from ops.progress import Progress
from ops.run import guarded
from ops.settings import Settings

ENV = "try"


def try_host(settings: Settings) -> int:
    """Returns the exit code. Never leaves anything behind. Raises LockedError."""
    began = time.monotonic()
    host = settings.hosts[0]

    def work(progress: Progress) -> int:
        with progress.phase("Host"):
            secrets.ensure_ssh_key(ENV)
            hosts.up(ENV, [host], settings.subnet, progress.hint)
        with progress.phase("Ansible"):
            ansible.play(["playbooks/try_host.yml"], [inventory.write_single(settings, host)], progress)
        with progress.phase("Remove the host"):
            remove(ENV, secrets_too=True)
        progress.total(time.monotonic() - began, "local hosts work on this machine")
        return 0

    with exclusive(ENV, wait=False):
        code = guarded("try-host", work, advice="Removing the host.")
        if code != 0:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # it takes a second
            remove(ENV, secrets_too=True)
        return code
