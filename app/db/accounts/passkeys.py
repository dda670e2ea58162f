"""Administrators' passkeys (WebAuthn): a second factor bound to the host, so that a false page can't pass it on.

A challenge is kept with the session, for one answer within some minutes. Attestation isn't asked for: which make of
authenticator an administrator uses doesn't matter.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.db.accounts import second_factor, sessions
from app.db.accounts.administrators import COLLECTION
from app.db.core import SUPERADMIN, Actor, Row, ValidationFailed, driver_errors, get_collection, now

MOST = 10
ANSWER_WITHIN = timedelta(minutes=5)
MAX_BYTES = 1023  # of an id (WebAuthn 3, 5.4.7), and of a public key: one of RSA with 4,096 bits has half of that
_VERIFY = UserVerificationRequirement.REQUIRED  # a stolen authenticator isn't enough


@dataclass(frozen=True)
class Site:
    """Where passkeys are used: the host name, without a port, and the origin, as browsers send it."""

    host: str
    origin: str


@driver_errors()
def begin_adding(actor: Actor, token: str, site: Site) -> str:
    """The options for the browser to make a passkey, as JSON. `token` is the session's."""
    options = generate_registration_options(
        rp_id=site.host,
        rp_name=second_factor.ISSUER,
        user_name=actor.username,
        user_id=actor.user_id.encode(),
        exclude_credentials=_descriptors(actor.user_id, site),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=_VERIFY
        ),
    )
    _remember(token, "add", options.challenge)
    return options_to_json(options)


@driver_errors()
def add(actor: Actor, token: str, site: Site, name: str, answer: str) -> list[str]:
    """Add a passkey by the browser's answer; returns new recovery codes if it is the first second factor, else none.

    Raises ValidationFailed ("credential").
    """
    challenge = _take(token, "add")
    if challenge is None:
        raise ValidationFailed({"credential": "That took too long. Try again."})
    try:
        made = verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except Exception as error:  # the library lets its parsers' errors pass, too
        raise ValidationFailed({"credential": "The passkey wasn't accepted. Try again."}) from error
    admins, key_id = get_collection(COLLECTION), bytes_to_base64url(made.credential_id)
    too_long = max(len(made.credential_id), len(made.credential_public_key)) > MAX_BYTES
    if too_long or admins.find_one({"passkeys.key_id": key_id}, {"_id": 1}) is not None:
        raise ValidationFailed({"credential": "This passkey is already in use. Make another one."})
    passkey = {
        "key_id": key_id,
        "public_key": bytes_to_base64url(made.credential_public_key),
        "sign_count": made.sign_count,
        "host": site.host,
        "name": name,
        "created_at": now(),
    }
    codes, hashes = second_factor.new_codes()
    owner, push = {"_id": actor.user_id}, {"$push": {"passkeys": passkey}}
    # The conditions are part of the updates, so that of two requests at the same moment one makes recovery codes.
    if not admins.update_one(
        {**owner, "$nor": second_factor.FACTORS}, {**push, "$set": {"recovery_codes": hashes}}
    ).modified_count:
        codes = []
        if not admins.update_one({**owner, f"passkeys.{MOST - 1}": {"$exists": False}}, push).modified_count:
            raise ValidationFailed({"credential": f"You have {MOST} passkeys. Remove one first."})
    second_factor.log(actor, "passkey added")
    return codes


@driver_errors()
def begin_using(admin_id: str, token: str, site: Site) -> str:
    """The options for the browser to use one of the administrator's passkeys, as JSON."""
    options = generate_authentication_options(
        rp_id=site.host, allow_credentials=_descriptors(admin_id, site), user_verification=_VERIFY
    )
    _remember(token, "use", options.challenge)
    return options_to_json(options)


@driver_errors()
def accept(admin_id: str, token: str, site: Site, answer: str) -> bool:
    """Whether the browser's answer proves that somebody used one of the administrator's passkeys just now, here."""
    challenge = _take(token, "use")
    if challenge is None:
        return False
    try:
        key_id = parse_authentication_credential_json(answer).id
    except Exception:  # as above
        return False
    passkey = next((each for each in _passkeys(admin_id, site) if each["key_id"] == key_id), None)
    if passkey is None:
        return False
    try:
        verified = verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=base64url_to_bytes(passkey["public_key"]),
            credential_current_sign_count=passkey["sign_count"],
            require_user_verification=True,
        )
    except Exception:  # as above
        return False
    # With the old count in the filter, of two answers with the same new one, one is refused.
    known = {"key_id": key_id, "sign_count": passkey["sign_count"]}
    used = {"passkeys.$.sign_count": verified.new_sign_count, "passkeys.$.used_at": now()}
    filtered = {"_id": admin_id, "passkeys": {"$elemMatch": known}}
    return get_collection(COLLECTION).update_one(filtered, {"$set": used}).matched_count == 1


@driver_errors()
def remove(actor: Actor, key_id: str) -> None:
    """Remove a passkey, if it is there.

    Raises ValidationFailed ("credential") for a superadmin's only second factor.
    """
    admins = get_collection(COLLECTION)
    owner = {"_id": actor.user_id, "passkeys.key_id": key_id}
    others: list[Row] = [{"totp_secret": {"$exists": True}}, {"passkeys.1": {"$exists": True}}]
    removable = {**owner, "$or": [*others, {"admin_status": {"$ne": SUPERADMIN}}]}
    if admins.update_one(removable, {"$pull": {"passkeys": {"key_id": key_id}}}).modified_count:
        second_factor.log(actor, "passkey removed")
        # Recovery codes stand in for a second factor, so they go with the last one.
        admins.update_one({"_id": actor.user_id, "$nor": second_factor.FACTORS}, {"$unset": {"recovery_codes": ""}})
    elif admins.find_one(owner, {"_id": 1}) is not None:
        raise ValidationFailed({"credential": "Superadmins need a second factor: set up another one first."})


def _passkeys(admin_id: str, site: Site) -> list[Row]:
    """Those that browsers use at this host."""
    return [each for each in second_factor.overview(admin_id)["passkeys"] if each["host"] == site.host]


def _descriptors(admin_id: str, site: Site) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(base64url_to_bytes(each["key_id"])) for each in _passkeys(admin_id, site)]


def _remember(token: str, purpose: str, challenge: bytes) -> None:
    kept = {"purpose": purpose, "value": challenge, "until": now() + ANSWER_WITHIN}
    sessions.note(token, "admin", challenge=kept)


def _take(token: str, purpose: str) -> bytes | None:
    """The challenge for this purpose that the session waits for. It can't be taken again."""
    kept: dict[str, Any] = sessions.take(token, "admin", "challenge") or {}
    return bytes(kept["value"]) if kept.get("purpose") == purpose and now() < kept["until"] else None
