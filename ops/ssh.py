"""The controller's ssh, with its own configuration: the user's ~/.ssh and agent have no effect.

Ansible, the tests and people use it, too: `ssh -F build/<env>/ssh_config`.
"""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops import children
from ops.errors import OpsError
from ops.paths import build_dir, secrets_dir
from ops.progress import Say, quiet
from ops.secrets import write_private
from ops.settings import JUMP_VARIABLE

#: How long a running host may refuse us: sshd takes seconds on a busy machine; waiting longer won't fix a wrong key.
PATIENCE_SECONDS = 20.0
_CONNECT_SECONDS = 5

#: ssh's errors while a machine boots; waiting doesn't change any other.
_BOOTING = ("refused", "timed out", "No route to host", "reset by", "closed by", "System is booting up")


class HostError(OpsError):
    """A host didn't boot, or we can't log in; the message has its name and the reason."""


def config(env: str) -> Path:
    """Writes the environment's ssh configuration if it is missing or changed; returns its path."""
    path = build_dir(env) / "ssh_config"
    names = _names(env).read_text() if _names(env).exists() else ""
    text = names + _text(env, os.environ.get(JUMP_VARIABLE, "") if env == "aws" else "")
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, text, replace=True)  # atomically: several threads may do this at once
    return path


def name_hosts(env: str, hosts: Mapping[str, tuple[str, str]]) -> None:
    """Lets `ssh -F build/<env>/ssh_config NAME` reach hosts: name -> (address, alias for known_hosts)."""
    text = "".join(
        f"Host {name} {address}\n  HostName {address}\n  HostKeyAlias {alias}\n"
        for name, (address, alias) in hosts.items()
    )
    path = _names(env)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def socket_directory() -> tempfile.TemporaryDirectory[str]:
    """A directory with a short path, because the path of a Unix socket has at most 107 characters."""
    return tempfile.TemporaryDirectory(prefix="s", dir=os.environ.get("ANSIBLE_SSH_CONTROL_PATH_DIR"))


def command(env: str, destination: str, *options: str) -> list[str]:
    """The ssh command that logs in to an address of the environment; its last word is the address."""
    return ["ssh", "-F", str(config(env)), *options, destination]


@dataclass(frozen=True)
class Remote:
    """A host on which the controller runs commands as root; `login` is the ssh command, the destination last."""

    name: str
    login: list[str]
    sudo: bool = False

    def command(self, *words: str) -> list[str]:
        """The command that runs these words there."""
        return [*self.login, "--", shlex.join(["sudo", "-n", *words] if self.sudo else words)]


def known_as(alias: str) -> list[str]:
    """Options that look up a host's key under `alias`.

    EC2's hosts are known by their instance id: a rebuilt host has a new key, but an instance's key never changes.
    """
    return ["-o", f"HostKeyAlias={alias}"]


def wait_until_admitted(name: str, command: list[str], *, boot_seconds: float = 0, say: Say = quiet) -> None:
    """Waits until `command`, an ssh command, can log in.

    A booting host gets `boot_seconds`, any other PATIENCE_SECONDS. Raises HostError.
    """
    began, refused_since = time.monotonic(), None
    *options, destination = command
    alive = ["-o", f"ServerAliveInterval={_CONNECT_SECONDS}"]
    while (result := children.run([*options, *alive, destination, "true"])).returncode != 0:
        reason = result.stderr.strip() or f"ssh ended with {result.returncode}"
        now = time.monotonic()
        if any(sign in reason for sign in _BOOTING):
            refused_since, limit, since = None, max(boot_seconds, PATIENCE_SECONDS), began
        else:  # it has booted; cloud-init may not have written our key yet
            refused_since, limit = refused_since or now, PATIENCE_SECONDS
            since = refused_since
        if now - since > limit or "HOST IDENTIFICATION HAS CHANGED" in reason:
            raise HostError(f"can't log in to {name} after {now - began:.0f} s ({shlex.join(command)}):\n{reason}")
        say(f"waiting for {name}: {' '.join(reason.split())}")
        time.sleep(1)  # a connection is refused immediately while sshd isn't running


def _text(env: str, jump: str) -> str:
    secrets = secrets_dir(env)
    lines = [
        "# Written by ops/ssh.py; your changes will be lost.",
        "Host *",
        f"  User {'ubuntu' if env == 'aws' else 'root'}",
        f"  IdentityFile {_quoted(secrets / 'ssh_key')}",
        "  IdentitiesOnly yes",  # an agent may offer more keys than the six tries that sshd allows
        "  IdentityAgent none",
        f"  UserKnownHostsFile {_quoted(secrets / 'known_hosts')}",
        "  GlobalKnownHostsFile none",
        # Local hosts' keys are known before the first log-in.
        f"  StrictHostKeyChecking {'accept-new' if env == 'aws' else 'yes'}",
        "  BatchMode yes",
        f"  ConnectTimeout {_CONNECT_SECONDS}",
    ]
    if jump:
        # The user's own ssh with its configuration and agent, because the jump host is theirs.
        lines.append(f"  ProxyCommand ssh -o BatchMode=yes -W [%h]:%p -- {shlex.quote(jump)}")
    return "\n".join(lines) + "\n"


def _names(env: str) -> Path:
    return build_dir(env) / "ssh_hosts"


def _quoted(path: Path) -> str:
    """A path for ssh_config: quoted because of spaces, with `%` doubled because it starts a token."""
    return '"' + str(path).replace("%", "%%") + '"'
