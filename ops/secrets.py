"""Every secret of an environment: made once, mode 0600, never overwritten, never half-written."""

from __future__ import annotations

import base64
import os
import secrets as random
import subprocess
import tempfile
from pathlib import Path

import yaml

from ops.paths import secrets_dir

#: MongoDB takes 6 to 1024 base64 characters; 756 random bytes are the 1008 of its manual's example.
KEYFILE_BYTES = 756

#: The names in passwords.yml; the first five are MongoDB users (with `-` for `_`).
PASSWORDS = (
    "cluster_admin",
    "shard_admin",
    "film_library_admin",
    "film_library_user",
    "monitor",
    "app_admin_login",
    "flask_admin_secret_key",
    "flask_user_secret_key",
)


def ensure(env: str) -> Path:
    """Makes whatever secrets the environment lacks; returns their directory."""
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
    """The environment's passwords by name; empty when there are none yet."""
    path = secrets_dir(env) / "passwords.yml"
    return dict(yaml.safe_load(path.read_text())) if path.exists() else {}


def ensure_ssh_key(env: str) -> Path:
    """Makes the environment's ssh key unless it has one; returns the directory of its secrets."""
    directory = secrets_dir(env)
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    if not (directory / "ssh_key").exists():
        with tempfile.TemporaryDirectory(dir=directory) as scratch:
            key = Path(scratch) / "ssh_key"
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"film-library-{env}", "-f", str(key)]
            subprocess.run(command, check=True)
            # The private key last: its being there says that the pair is whole.
            key.with_suffix(".pub").replace(directory / "ssh_key.pub")
            key.replace(directory / "ssh_key")
    return directory


def write_private(path: Path, text: str, *, replace: bool = False) -> None:
    """Writes a 0600 file in one step; one that exists stays as it is unless `replace`."""
    if path.exists() and not replace:
        return
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600 by itself
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
