"""Where an environment's backups are, as the controller reaches them, and the key that opens them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from ops.errors import OpsError
from ops.paths import ROOT, secrets_dir
from ops.secrets import write_private

#: The private key's name in the environment's secrets.
KEY = "backup.key"


def place(env: str) -> str:
    """The name of the store. Raises OpsError when there is none."""
    path = ROOT / "backups" / env
    if not path.is_dir():
        raise OpsError(f"there are no backups in {path.relative_to(ROOT)}")
    return str(path)


def note_verified(env: str, backup: str) -> None:
    """Writes down, beside the backups, that one was verified now."""
    content = {"backup": backup, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    write_private(Path(place(env)) / "verified.json", json.dumps(content) + "\n", replace=True)


def key_file(env: str) -> Path:
    """The private key's file, perhaps under Ansible Vault. Raises OpsError when there is none."""
    path = secrets_dir(env) / KEY
    if not path.exists():
        raise OpsError(
            f"there is no {path.relative_to(ROOT)}, without which no backup can be read: put your copy there"
        )
    return path
