"""An environment's secrets: generated once with mode 0600, written atomically, never overwritten."""

from __future__ import annotations

import base64
import os
import secrets as random
import subprocess
import tempfile
from pathlib import Path

import yaml

from ops.paths import secrets_dir

#: MongoDB accepts 6 to 1024 base64 characters; like its manual's example, 756 random bytes (1008 characters).
KEYFILE_BYTES = 756

#: The names in passwords.yml. The first six are MongoDB users, whose names have `-` for `_`.
PASSWORDS = (
    "cluster_admin",
    "shard_admin",
    "film_library_admin",
    "film_library_user",
    "film_library_deploy",
    "monitor",
    "app_admin_login",
    "flask_admin_secret_key",
    "flask_user_secret_key",
)


def ensure(env: str) -> Path:
    """Generates the secrets that the environment lacks; returns their directory."""
    directory = ensure_ssh_key(env)
    key = base64.encodebytes(random.token_bytes(KEYFILE_BYTES)).decode()
    write_private(directory / "keyfile", key)
    passwords = load_passwords(env)
    missing = [name for name in PASSWORDS if name not in passwords]
    if missing:
        passwords |= {name: random.token_urlsafe(24) for name in missing}
        write_private(directory / "passwords.yml", yaml.safe_dump(passwords, sort_keys=False), replace=True)
    return directory


def load_passwords(env: str) -> dict[str, str]:
    """The environment's passwords by name; empty if there are none yet."""
    path = secrets_dir(env) / "passwords.yml"
    return dict(yaml.safe_load(path.read_text())) if path.exists() else {}


def ensure_ssh_key(env: str) -> Path:
    """Generates the environment's ssh key unless it has one; returns the directory of its secrets."""
    directory = secrets_dir(env)
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    if not (directory / "ssh_key").exists():
        with tempfile.TemporaryDirectory(dir=directory) as scratch:
            key = Path(scratch) / "ssh_key"
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"film-library-{env}", "-f", str(key)]
            subprocess.run(command, check=True)
            # The private key last: if it exists, the pair is complete.
            key.with_suffix(".pub").replace(directory / "ssh_key.pub")
            key.replace(directory / "ssh_key")
    return directory


def write_private(path: Path, text: str, *, replace: bool = False) -> None:
    """Writes a file atomically with mode 0600; leaves an existing one alone unless `replace`."""
    if path.exists() and not replace:
        return
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # has mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
