"""Hashing passwords, and which are accepted."""

import hashlib
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from zxcvbn import zxcvbn

# OWASP Password Storage Cheat Sheet: Argon2id with m=19 MiB, t=2, p=1. Some 20-70 ms a check on two cores.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

MIN_PASSWORD = 8
MAX_PASSWORD = 128  # OWASP ASVS 6.2.9 asks for 64 at least; a bound keeps a megabyte from being hashed

# zxcvbn's score, 0 to 4, goes by how many guesses a good guesser needs (Wheeler, USENIX Security 2016): it knows 30,000
# passwords from breaches, names, words, dates, keyboard rows and what people do to them. 3 means 10^8 and more.
MIN_SCORE = 3
# Characters judged. A strong beginning is enough, and zxcvbn tries every letter that 4@8({[<369!17|0$5+%2 may stand
# for: 72 such characters take it seconds of CPU time, 32 0.4 s, 24 0.2 s, and anybody can send them.
_JUDGED = 24
_OWN_WORDS = ("film", "library", "movie", "cinema")  # the first guesses for this site
# zxcvbn keeps these words in a module-level dictionary.
_one_at_a_time = threading.Lock()


def hash_password(password: str) -> str:
    """The password's Argon2id hash with its salt and parameters, as one string."""
    return _hasher.hash(password)


def check_password(password_hash: str, password: str) -> bool:
    """Whether `password` matches the hash; False for an invalid hash."""
    try:
        return _hasher.verify(password_hash, password)
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with outdated parameters."""
    return _hasher.check_needs_rehash(password_hash)


def credential_of(password_hash: str) -> str:
    """What a session keeps of its password: a digest of the salted hash, which reveals nothing."""
    return hashlib.sha256(password_hash.encode()).hexdigest()


def password_problem(password: str, username: str) -> str | None:
    """Why this password isn't accepted, as a message for its owner; None if it is."""
    if not isinstance(password, str):
        return "A password is text."
    if len(password) < MIN_PASSWORD:
        return f"Use at least {MIN_PASSWORD} characters."
    if len(password) > MAX_PASSWORD:
        return f"Use at most {MAX_PASSWORD} characters."
    if username and username.lower() in password.lower():
        return "A password must not contain the user name."
    return _weakness(password, username)


def _weakness(password: str, username: str) -> str | None:
    """Why the password is easy to guess, and what would help; None if it isn't."""
    with _one_at_a_time:
        judged = zxcvbn(password[:_JUDGED], [username, *_OWN_WORDS])
    if judged["score"] >= MIN_SCORE:
        return None
    feedback = judged["feedback"]
    return " ".join([feedback["warning"] or "This password is soon guessed.", *feedback["suggestions"]])
