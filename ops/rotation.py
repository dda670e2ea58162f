"""New secrets for a running cluster, until they have replaced the old ones: secrets/ENV/rotation.yml.

The file is written before anything changes, and removed after passwords.yml and keyfile have its content. So the
controller knows the old and the new secrets at every moment in between.
"""

from __future__ import annotations

import base64
import secrets as random
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

from ops import secrets
from ops.errors import OpsError
from ops.locks import LockedError, exclusive
from ops.paths import secrets_dir

#: What WHAT may name: a part -> the entries of passwords.yml that are replaced.
PARTS: dict[str, tuple[str, ...]] = {
    "passwords": secrets.DATABASE_PASSWORDS,
    "app-keys": ("flask_admin_secret_key", "flask_user_secret_key"),
    "keyfile": (),
}
#: The end of the names of keys that apps accept and don't sign with any more.
BEFORE = "_before"
_FILE = "rotation.yml"


@dataclass
class Rotation:
    """`passwords` are new entries of passwords.yml, `keyfile` is the new key or empty."""

    parts: list[str]
    passwords: dict[str, str] = field(default_factory=dict)
    keyfile: str = ""


def parts_of(what: str) -> list[str]:
    """The parts that WHAT names. Raises OpsError."""
    if what in ("", "all"):
        return list(PARTS)
    if what not in PARTS:
        raise OpsError(f"WHAT={what}: must be one of {', '.join(PARTS)}, all")
    return [what]


def pending(env: str) -> Rotation | None:
    """The rotation that has begun and not ended. Raises SecretsError."""
    path = _path(env)
    return Rotation(**yaml.safe_load(secrets.read(path))) if path.exists() else None


def reminder(env: str) -> str:
    """A sentence about a rotation that hasn't ended. Empty if there is none. Raises SecretsError."""
    found = pending(env)
    if found is None:
        return ""
    what = f"secrets/{env}: replacing {' and '.join(found.parts)}"
    try:
        with exclusive(env, wait=False):
            return f"{what} was interrupted; complete it with `make rotate-secrets ENV={env}`"
    except LockedError:
        return f"{what} hasn't ended; a run is at work"


def refuse_pending(env: str) -> None:
    """Raises OpsError while a rotation hasn't ended: which secrets are in force isn't known. Raises LockedError."""
    if pending(env):
        with exclusive(env, wait=False):  # whoever is at work now, perhaps at the rotation, wasn't interrupted
            pass
        raise OpsError(f"{reminder(env)} first")


def forget(env: str) -> list[str]:
    """Removes the new secrets of a cluster that is gone: the next one begins with the old ones. Returns names."""
    path = _path(env)
    if not path.exists():
        return []
    path.unlink()
    return [f"secrets/{env}/{_FILE}"]


def begin(env: str, parts: list[str]) -> Rotation:
    """The rotation to complete: the one that was interrupted, or a new one, which is written first."""
    if found := pending(env):
        return found
    current = secrets.load_passwords(env)
    made = Rotation(parts)
    for name in (name for part in parts for name in PARTS[part]):
        made.passwords[name] = secrets.new_password()
        if part_of(name) == "app-keys":
            made.passwords[f"{name}{BEFORE}"] = current[name]
    if "keyfile" in parts:
        made.keyfile = base64.b64encode(random.token_bytes(secrets.KEYFILE_BYTES)).decode()
    secrets.write_private(_path(env), secrets.sealed(yaml.safe_dump(asdict(made), sort_keys=False)))
    return made


def part_of(name: str) -> str:
    """The part to which an entry of passwords.yml belongs."""
    return next(part for part, names in PARTS.items() if name in names)


def end(env: str, rotation: Rotation) -> None:
    """Makes the new secrets the environment's; the last step removes the file."""
    directory = secrets_dir(env)
    passwords = secrets.load_passwords(env) | rotation.passwords
    text = yaml.safe_dump(passwords, sort_keys=False)
    secrets.write_private(directory / "passwords.yml", secrets.sealed(text), replace=True)
    if rotation.keyfile:
        secrets.write_private(directory / "keyfile", secrets.sealed(f"{rotation.keyfile}\n"), replace=True)
    _path(env).unlink()


def _path(env: str) -> Path:
    return secrets_dir(env) / _FILE
