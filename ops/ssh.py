"""How the controller's ssh reaches the hosts: by a configuration of its own, so that nobody's ~/.ssh or agent matters.

`ssh -F build/<env>/ssh_config` is also what Ansible, the tests and a person at the keyboard use.
"""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from ops import children
from ops.errors import OpsError
from ops.paths import build_dir, secrets_dir
from ops.progress import Say, quiet
from ops.secrets import write_private
from ops.settings import JUMP_VARIABLE

#: How long a host that is up may refuse us. A busy machine's sshd takes seconds; a wrong key won't get better.
PATIENCE_SECONDS = 20.0
_CONNECT_SECONDS = 5

#: What ssh says while a machine boots; anything else is an answer that waiting doesn't change.
_BOOTING = ("refused", "timed out", "No route to host", "reset by", "closed by", "System is booting up")


class HostError(OpsError):
    """A host didn't boot, or we can't log in to it; the message holds its name and the reason."""


def config(env: str) -> Path:
    """The environment's ssh configuration, written if it isn't there or changed; returns its path."""
    path = build_dir(env) / "ssh_config"
    names = _names(env).read_text() if _names(env).exists() else ""
    text = names + _text(env, os.environ.get(JUMP_VARIABLE, "") if env == "aws" else "")
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, text, replace=True)  # in one step: several threads may come here at once
    return path


def name_hosts(env: str, hosts: Mapping[str, tuple[str, str]]) -> None:
    """Lets `ssh -F build/<env>/ssh_config NAME` reach hosts: name -> (address, what its key is known by)."""
    text = "".join(
        f"Host {name} {address}\n  HostName {address}\n  HostKeyAlias {alias}\n"
        for name, (address, alias) in hosts.items()
    )
    path = _names(env)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def socket_directory() -> tempfile.TemporaryDirectory[str]:
    """A directory with a short path for Unix sockets, which have at most 107 characters."""
    return tempfile.TemporaryDirectory(prefix="s", dir=os.environ.get("ANSIBLE_SSH_CONTROL_PATH_DIR"))


def command(env: str, destination: str, *options: str) -> list[str]:
    """The ssh command line that logs in to an address of the environment; its last part is the address."""
    return ["ssh", "-F", str(config(env)), *options, destination]


def known_as(alias: str) -> list[str]:
    """Options that look up a host's key under `alias`.

    EC2's hosts are known by their instance id: a rebuilt host has a new key, but an instance's key never changes.
    """
    return ["-o", f"HostKeyAlias={alias}"]


def wait_until_admitted(name: str, command: list[str], *, boot_seconds: float = 0, say: Say = quiet) -> None:
    """Waits until the ssh command `command` gets in.

    A host that is still booting has `boot_seconds` for it, any other one PATIENCE_SECONDS. Raises HostError.
    """
    began, refused_since = time.monotonic(), None
    *options, destination = command
    alive = ["-o", f"ServerAliveInterval={_CONNECT_SECONDS}"]
    while (result := children.run([*options, *alive, destination, "true"])).returncode != 0:
        reason = result.stderr.strip() or f"ssh ended with {result.returncode}"
        now = time.monotonic()
        if any(sign in reason for sign in _BOOTING):
            refused_since, limit, since = None, max(boot_seconds, PATIENCE_SECONDS), began
        else:  # it has booted; cloud-init may still be about to write our key
            refused_since, limit = refused_since or now, PATIENCE_SECONDS
            since = refused_since
        if now - since > limit or "HOST IDENTIFICATION HAS CHANGED" in reason:
            raise HostError(f"can't log in to {name} after {now - began:.0f} s ({shlex.join(command)}):\n{reason}")
        say(f"waiting for {name}: {' '.join(reason.split())}")
        time.sleep(1)  # refused at once while sshd isn't up yet


def _text(env: str, jump: str) -> str:
    secrets = secrets_dir(env)
    lines = [
        "# Written by ops/ssh.py; changes made here are lost.",
        "Host *",
        f"  User {'ubuntu' if env == 'aws' else 'root'}",
        f"  IdentityFile {_quoted(secrets / 'ssh_key')}",
        "  IdentitiesOnly yes",  # an agent may have more keys than the six that a server lets one try
        "  IdentityAgent none",
        f"  UserKnownHostsFile {_quoted(secrets / 'known_hosts')}",
        "  GlobalKnownHostsFile none",
        # A local host's key is known before the first log-in.
        f"  StrictHostKeyChecking {'accept-new' if env == 'aws' else 'yes'}",
        "  BatchMode yes",
        f"  ConnectTimeout {_CONNECT_SECONDS}",
    ]
    if jump:
        # The person's own ssh, with its configuration and its agent: the jump host is theirs.
        lines.append(f"  ProxyCommand ssh -o BatchMode=yes -W [%h]:%p -- {shlex.quote(jump)}")
    return "\n".join(lines) + "\n"


def _names(env: str) -> Path:
    return build_dir(env) / "ssh_hosts"


def _quoted(path: Path) -> str:
    """A path as ssh_config takes it: quoted for its blanks, and `%` twice, because it begins a token."""
    return '"' + str(path).replace("%", "%%") + '"'
