"""An environment's secrets: generated once with mode 0600, written atomically, never overwritten.

With VAULT_PASSWORD_FILE, those in ops.vault.PROTECTED are written under Ansible Vault. Both kinds are read.
"""

from __future__ import annotations

import base64
import os
import secrets as random
import subprocess
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from ops import vault
from ops.certificates import CA_FILE, CA_KEY_FILE, Authority
from ops.errors import OpsError
from ops.paths import secrets_dir

#: MongoDB accepts 6 to 1024 base64 characters; like its manual's example, 756 random bytes (1008 characters).
KEYFILE_BYTES = 756

#: How long the certificate authority is valid. Nothing replaces it, so it must outlive the cluster.
AUTHORITY_VALID = timedelta(days=3650)

#: The key that reads backups, and the public one that hosts make them for.
BACKUP_KEY_FILE, BACKUP_PUBLIC_KEY_FILE = "backup.key", "backup.pub"

#: The names of MongoDB users in passwords.yml; the users' own names have `-` for `_`.
DATABASE_PASSWORDS = (
    "cluster_admin",
    "shard_admin",
    "film_library_admin",
    "film_library_user",
    "film_library_deploy",
    "film_library_backup",
    "monitor",
)
#: All names in passwords.yml.
PASSWORDS = (*DATABASE_PASSWORDS, "app_admin_login", "flask_admin_secret_key", "flask_user_secret_key")


class SecretsError(OpsError):
    """The secrets can't be read; the message says what to set."""


def ensure(env: str) -> Path:
    """Generates the secrets that the environment lacks; returns their directory. Raises SecretsError."""
    check(env)
    directory = ensure_ssh_key(env)
    key = base64.encodebytes(random.token_bytes(KEYFILE_BYTES)).decode()
    write_private(directory / "keyfile", sealed(key))
    _ensure_authority(env, directory)
    _ensure_backup_key(directory)
    passwords = load_passwords(env)
    missing = [name for name in PASSWORDS if name not in passwords]
    if missing:
        passwords |= {name: new_password() for name in missing}
        text = yaml.safe_dump(passwords, sort_keys=False)
        write_private(directory / "passwords.yml", sealed(text), replace=True)
    return directory


def remove(env: str) -> list[str]:
    """Removes the environment's secrets, but never the key of backups; returns what was removed, and what is kept."""
    directory = secrets_dir(env)
    if not directory.exists():
        return []
    for path in directory.iterdir():
        if path.name not in (BACKUP_KEY_FILE, BACKUP_PUBLIC_KEY_FILE):
            path.unlink()
    if not any(directory.iterdir()):
        directory.rmdir()
        return [f"secrets/{env}"]
    return [f"secrets/{env}, but not {BACKUP_KEY_FILE}: without it no backup can be read, wherever it is"]


def check(env: str) -> None:
    """Raises SecretsError unless all of the environment's secrets can be read."""
    if found := vault.problems(env, os.environ):
        raise SecretsError("\n".join(found))
    for name in vault.encrypted(env):
        read(secrets_dir(env) / name)


def _ensure_authority(env: str, directory: Path) -> None:
    """Generates the certificate authority of the environment's hosts unless there is one."""
    if (directory / CA_KEY_FILE).exists():
        return
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        authority = Authority.create(Path(scratch), f"Film Library {env}", valid=AUTHORITY_VALID)
        authority.file.replace(directory / CA_FILE)
        # Last: if it exists, the pair is complete.
        write_private(directory / CA_KEY_FILE, sealed(authority.private_key()))


def _ensure_backup_key(directory: Path) -> None:
    """Generates the key of backups unless there is one. Hosts get its public half only.

    Where there is a public half only, its key is elsewhere: another one wouldn't read what hosts make.
    """
    import pyrage  # noqa: PLC0415 - most commands don't need it

    private, public = directory / BACKUP_KEY_FILE, directory / BACKUP_PUBLIC_KEY_FILE
    if public.exists():
        return
    if not private.exists():
        write_private(private, sealed(f"{pyrage.x25519.Identity.generate()}\n"))
    key = pyrage.x25519.Identity.from_str(read(private).split()[-1])
    write_private(public, f"{key.to_public()}\n")


def authority(env: str) -> Authority:
    """The certificate authority of the environment's hosts. Raises SecretsError."""
    directory = secrets_dir(env)
    try:
        return Authority.load(directory, read(directory / CA_KEY_FILE))
    except (OSError, ValueError) as error:
        raise SecretsError(
            f"secrets/{env}: no usable certificate authority ({error}); cluster-up makes a missing one"
        ) from error


def load_passwords(env: str) -> dict[str, str]:
    """The environment's passwords by name; empty if there are none yet. Raises SecretsError."""
    path = secrets_dir(env) / "passwords.yml"
    return dict(yaml.safe_load(read(path))) if path.exists() else {}


def read(path: Path) -> str:
    """A secret file's text, decrypted. Raises SecretsError."""
    content = path.read_bytes()
    if not content.startswith(vault.HEADER):
        return content.decode()
    from ansible.parsing.vault import AnsibleVaultError  # noqa: PLC0415 - takes 0.3 s

    if not os.environ.get(vault.VARIABLE):
        raise SecretsError("\n".join(vault.problems(path.parent.name, os.environ)))
    try:
        return bytes(_ansible_vault().decrypt(content)).decode()
    except AnsibleVaultError as error:
        name = os.environ[vault.VARIABLE]
        raise SecretsError(
            f"{vault.VARIABLE}={name}: not the password of secrets/{path.parent.name}/{path.name}"
        ) from error


def encrypt(env: str) -> list[str]:
    """Puts the environment's plain secrets under Ansible Vault; returns their names. Raises SecretsError.

    An interruption leaves each file either plain or encrypted, and both can be read.
    """
    check(env)
    if not os.environ.get(vault.VARIABLE):
        raise SecretsError(f"set {vault.VARIABLE} to a file with the password")
    done = []
    for name in vault.PROTECTED:
        path = secrets_dir(env) / name
        if path.exists() and not vault.is_encrypted(path):
            write_private(path, sealed(path.read_text()), replace=True)
            done.append(name)
    return done


def new_password() -> str:
    """A random password of 32 characters."""
    return random.token_urlsafe(24)


def sealed(text: str) -> str:
    """The text under Ansible Vault if there is a password for it."""
    return bytes(_ansible_vault().encrypt(text)).decode() if os.environ.get(vault.VARIABLE) else text


def _ansible_vault() -> Any:
    """Ansible's vault with the password, as ansible-playbook reads it. Raises SecretsError."""
    from ansible.errors import AnsibleError  # noqa: PLC0415 - as above
    from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415 - as above
    from ansible.parsing.vault import VaultLib, get_file_vault_secret  # noqa: PLC0415 - as above

    name = os.environ[vault.VARIABLE]
    try:
        secret = get_file_vault_secret(name, loader=DataLoader())
        secret.load()
    except AnsibleError as error:
        raise SecretsError(f"{vault.VARIABLE}={name}: {error}") from error
    return VaultLib([("default", secret)])


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
