"""Where an environment's backups are, as the controller reaches them, and the key that opens them."""

from __future__ import annotations

import os
from pathlib import Path

from app.db.backups import BackupError, open_store, status
from ops import inventory
from ops.errors import OpsError
from ops.paths import ROOT, backups_dir, secrets_dir
from ops.secrets import BACKUP_KEY_FILE

#: The private key's name in the environment's secrets.
KEY = BACKUP_KEY_FILE


def place(env: str) -> str:
    """The name of the store: a directory here, or s3://bucket/prefix. Raises OpsError when there is none.

    STORE names another one than the cluster's own, such as the bucket of the cluster that was lost.
    """
    if elsewhere := os.environ.get("STORE"):
        return elsewhere
    variables = inventory.variables(env)
    if store := variables.get("cluster_backup_store"):
        os.environ["AWS_DEFAULT_REGION"] = variables["cluster_backup_region"]
        return str(store)
    if not backups_dir(env).is_dir():
        raise OpsError(f"there is nothing in backups/{env}; `make backup ENV={env}` makes a backup and fetches it")
    return str(backups_dir(env))


def note_verified(env: str, backup: str) -> None:
    """Writes down on the controller that a backup was verified now, and keeps that one. Raises OpsError."""
    backups_dir(env).mkdir(parents=True, exist_ok=True)
    status.note_verified(backups_dir(env) / status.VERIFIED, backup)
    try:
        open_store(place(env), originals=True).hold(backup)
    except (BackupError, OSError) as error:
        raise OpsError(f"{backup} is good, but may be removed when it is old: {error}") from error


def key_file(env: str) -> Path:
    """The private key's file, perhaps under Ansible Vault. Raises OpsError when there is none."""
    path = secrets_dir(env) / KEY
    if not path.exists():
        raise OpsError(
            f"there is no {path.relative_to(ROOT)}, without which no backup can be read: put your copy there"
        )
    return path
