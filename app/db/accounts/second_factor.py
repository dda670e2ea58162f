"""Administrators' second factor: codes from an authenticator app (TOTP, RFC 6238), and recovery codes for its loss.

Passkeys (app.db.accounts.passkeys) are the other one; one of the two is enough.

The secret must be readable to check codes. It is in `administrators`, which only the admin app's database user reads.
"""

import base64
import hashlib
import hmac
import secrets
import time
from typing import Any

import pyotp

from app.db.accounts import credentials, sessions
from app.db.accounts.administrators import COLLECTION
from app.db.core import Actor, NotFound, Row, audit, driver_errors, get_collection

ISSUER = "Film Library Admin"
STEP = 30  # seconds; all authenticator apps use RFC 6238's default
DRIFT = 1  # steps by which a phone's clock may differ (RFC 6238, 5.2)
RECOVERY_CODES = 10
_RECOVERY_BYTES = 15  # 120 random bits; from 112 on a plain hash is enough (ASVS 5.0 6.5.2)

#: Administrators who have a second factor match one of these.
FACTORS: list[Row] = [{"totp_secret": {"$exists": True}}, {"passkeys.0": {"$exists": True}}]


def new_secret() -> str:
    """A random secret in base32."""
    return pyotp.random_base32()


def address(username: str, secret: str) -> str:
    """The otpauth:// address that authenticator apps read from a QR code."""
    return pyotp.TOTP(secret, interval=STEP).provisioning_uri(name=username, issuer_name=ISSUER)


@driver_errors()
def set_up(actor: Actor, secret: str, code: str) -> list[str] | None:
    """Begin to use a secret, if the code proves that the administrator's app has it; returns new recovery codes."""
    step = _step_of(secret, code)
    if step is None:
        return None
    codes, hashes = new_codes()
    fields = {"totp_secret": secret, "totp_step": step, "recovery_codes": hashes}
    get_collection(COLLECTION).update_one({"_id": actor.user_id}, {"$set": fields})
    log(actor, "set up")
    return codes


@driver_errors()
def accept(admin_id: str, code: str) -> bool:
    """Whether this is a code of the administrator's app or a recovery code. Each is accepted once."""
    admins = get_collection(COLLECTION)
    admin = admins.find_one({"_id": admin_id}, {"totp_secret": 1})
    if admin is None or not isinstance(code, str):
        return False
    step = _step_of(admin["totp_secret"], code) if "totp_secret" in admin else None
    if step is None:
        left = {"_id": admin_id, "recovery_codes": _hash(code)}
        return admins.update_one(left, {"$pull": {"recovery_codes": _hash(code)}}).modified_count == 1
    # One atomic step, so that of two requests with the same code one fails.
    unused = {"_id": admin_id, "totp_secret": admin["totp_secret"], "totp_step": {"$lt": step}}
    return admins.update_one(unused, {"$set": {"totp_step": step}}).modified_count == 1


@driver_errors()
def renew_recovery_codes(actor: Actor) -> list[str]:
    """Replace the recovery codes; returns the new ones, which can't be read again."""
    codes, hashes = new_codes()
    owner = {"_id": actor.user_id, "$or": FACTORS}
    get_collection(COLLECTION).update_one(owner, {"$set": {"recovery_codes": hashes}})
    log(actor, "new recovery codes")
    return codes


@driver_errors()
def overview(admin_id: str) -> Row:
    """What an administrator has: {app: whether codes of one, passkeys: a list, recovery_codes: how many are left}.

    Passkeys are as in the model `Passkey`.
    """
    fields = ("totp_secret", "passkeys", "recovery_codes")
    admin: Row = get_collection(COLLECTION).find_one({"_id": admin_id}, fields) or {}
    return {
        "app": "totp_secret" in admin,
        "passkeys": admin.get("passkeys", []),
        "recovery_codes": len(admin.get("recovery_codes", ())),
    }


@driver_errors()
def reset(username: str) -> bool:
    """Forget the second factor of an administrator who has lost it, and end the sessions.

    Returns whether there was one. Raises NotFound.
    """
    name = credentials.normalized(username)
    admin = get_collection(COLLECTION).find_one({"username": name}, {"totp_secret": 1, "passkeys.key_id": 1})
    if admin is None:
        raise NotFound(f"there is no administrator {name!r:.80}")
    if "totp_secret" not in admin and not admin.get("passkeys"):
        return False
    fields = dict.fromkeys(("totp_secret", "totp_step", "passkeys", "recovery_codes"), "")
    get_collection(COLLECTION).update_one({"_id": admin["_id"]}, {"$unset": fields})
    sessions.close_others(admin["_id"], "admin")
    return True


def _step_of(secret: str, code: str) -> int | None:
    """The time step whose code this is, within DRIFT of now."""
    typed = "".join(code.split()).encode(errors="replace")
    totp, now = pyotp.TOTP(secret, interval=STEP), int(time.time()) // STEP
    steps = range(now - DRIFT, now + DRIFT + 1)
    right = [step for step in steps if hmac.compare_digest(totp.at(step * STEP).encode(), typed)]
    return max(right, default=None)


def new_codes() -> tuple[list[str], list[str]]:
    """Recovery codes of 24 letters and digits, in groups of four, and their hashes to store."""
    texts = (base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES))
    codes = ["-".join(text[start : start + 4] for start in range(0, len(text), 4)) for text in texts]
    return codes, [_hash(code) for code in codes]


def _hash(code: str) -> str:
    """Of a recovery code, however its groups are typed."""
    typed = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(typed.encode(errors="replace")).hexdigest()


def log(actor: Actor, what: str) -> None:
    """Write to the audit log what an administrator did with the own second factor."""
    details: dict[str, Any] = {"second_factor": what}
    audit.record(actor, "edit", COLLECTION, actor.user_id, None, None, **details)
