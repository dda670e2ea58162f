"""Keys of age (https://age-encryption.org): backups are made with the public key and read with the private one."""

import os
from collections.abc import Sequence
from pathlib import Path

from pyrage import IdentityError, RecipientError, x25519

from app.db.backups.errors import WrongKey

PublicKeys = Sequence[x25519.Recipient]
PrivateKeys = Sequence[x25519.Identity]


def public_keys(text: str) -> PublicKeys:
    """One or more public keys (`age1...`), separated by white space; each can read the backup. Raises WrongKey."""
    try:
        keys = [x25519.Recipient.from_str(word) for word in _words(text)]
    except RecipientError as error:
        raise WrongKey(f"not a public key of age, which begins with age1: {error}") from error
    if not keys:
        raise WrongKey("there is no public key")
    return keys


def private_keys(file: Path) -> PrivateKeys:
    """The private keys in a file as age-keygen writes it. Raises WrongKey."""
    try:
        keys = [x25519.Identity.from_str(word) for word in _words(file.read_text(encoding="utf-8"))]
    except (OSError, UnicodeDecodeError) as error:
        raise WrongKey(f"{file} can't be read: {error}") from error
    except IdentityError as error:
        raise WrongKey(f"{file} holds no private key of age (AGE-SECRET-KEY-...)") from error
    if not keys:
        raise WrongKey(f"{file} holds no private key")
    return keys


def make(file: Path) -> str:
    """Write a new private key to a new file with mode 0600; returns its public key. Raises WrongKey."""
    key = x25519.Identity.generate()
    public = str(key.to_public())
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(f"# public key: {public}\n{key}\n")
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise WrongKey(f"{file} can't be written: {error.strerror}") from error
    return public


def _words(text: str) -> list[str]:
    lines = (line.partition("#")[0] for line in text.splitlines())
    return [word for line in lines for word in line.split()]
