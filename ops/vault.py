"""Whether an environment's secrets are under Ansible Vault, and whether they can be read.

Standard library only, because ops/preflight.py asks before anything is installed; ops/secrets.py encrypts and decrypts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ops.paths import secrets_dir

#: Names a file with the vault's password, or a program that prints it. bin/shell passes it on to Ansible, too.
VARIABLE = "VAULT_PASSWORD_FILE"
#: The first bytes of an encrypted file.
HEADER = b"$ANSIBLE_VAULT;"
#: What the vault protects. ssh needs its own key in the clear.
PROTECTED = ("backup.key", "ca.key", "keyfile", "passwords.yml", "rotation.yml")


def is_encrypted(path: Path) -> bool:
    """Whether a file is under Ansible Vault."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        return file.read(len(HEADER)) == HEADER


def encrypted(env: str) -> list[str]:
    """The names of the environment's encrypted files."""
    return [name for name in PROTECTED if is_encrypted(secrets_dir(env) / name)]


def problems(env: str, variables: Mapping[str, str]) -> list[str]:
    """Why the environment's secrets can't be read, without trying a password."""
    name = variables.get(VARIABLE, "")
    if name:
        path = Path(name)
        if not path.is_file():
            return [f"{VARIABLE}={name}: there is no such file"]
        if not os.access(path, os.R_OK):
            return [f"{VARIABLE}={name}: not readable for you"]
        return [] if path.stat().st_size else [f"{VARIABLE}={name}: is empty"]
    return [f"secrets/{env}/{file}: encrypted; set {VARIABLE} to the file with the password" for file in encrypted(env)]
