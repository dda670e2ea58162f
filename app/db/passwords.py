"""How passwords are kept, and which are taken."""

from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

# OWASP Password Storage Cheat Sheet: Argon2id with m=19 MiB, t=2, p=1. Some 20-70 ms a check on two cores.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

MIN_PASSWORD = 8
MAX_PASSWORD = 128  # OWASP ASVS 6.2.9 asks for 64 at least; a bound keeps a megabyte from being hashed

# Of the passwords that people use most, those that are long enough to pass otherwise; lower case, one a line.
_COMMON = frozenset(files("app.db").joinpath("common_passwords.txt").read_text(encoding="utf-8").split())


def hash_password(password: str) -> str:
    """The password's Argon2id hash with its salt and parameters, as one string."""
    return _hasher.hash(password)


def check_password(password_hash: str, password: str) -> bool:
    """Whether `password` is the one that was hashed. False, not an error, for a hash that isn't one."""
    try:
        return _hasher.verify(password_hash, password)
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def password_problem(password: str, username: str) -> str | None:
    """Why this password isn't taken, as a sentence for the person who chose it; None when it is."""
    if not isinstance(password, str):
        return "A password is text."
    if len(password) < MIN_PASSWORD:
        return f"Use at least {MIN_PASSWORD} characters."
    if len(password) > MAX_PASSWORD:
        return f"Use at most {MAX_PASSWORD} characters."
    lowered = password.lower()
    if lowered in _COMMON or len(set(lowered)) < 3:
        return "This password is among the first that anyone would try."
    if username and username.lower() in lowered:
        return "A password must not contain the user name."
    return None
