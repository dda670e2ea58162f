"""An authenticator and its browser in software: makes passkeys and uses them, honestly unless told otherwise."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from web_visitor import Visitor
from webauthn.helpers import bytes_to_base64url
from werkzeug.test import TestResponse

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40  # flags of the authenticator's data
ORIGIN = "http://localhost"


@dataclass
class Device:
    """Holds one passkey. What it lies about can be changed: `origin`, `host`, `flags`, `count`."""

    origin: str = ORIGIN
    host: str = "localhost"
    flags: int = PRESENT | VERIFIED
    count: int = 0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    key_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def make(self, options: dict[str, Any]) -> str:
        """The answer to the options for a new passkey."""
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.key_id).to_bytes(2, "big") + self.key_id + cbor2.dumps(public)
        data = self._data(ATTESTED) + attested
        return self._answer(
            clientDataJSON=self._client_data("webauthn.create", options["challenge"]),
            attestationObject=cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data}),
        )

    def use(self, options: dict[str, Any]) -> str:
        """The answer to the options for using a passkey; counts up."""
        self.count += 1
        client_data, data = self._client_data("webauthn.get", options["challenge"]), self._data(0)
        signed = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        return self._answer(clientDataJSON=client_data, authenticatorData=data, signature=signed)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([self.flags | flags]) + self.count.to_bytes(4, "big")

    def _answer(self, **response: bytes) -> str:
        name = bytes_to_base64url(self.key_id)
        encoded = {key: bytes_to_base64url(value) for key, value in response.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": encoded})


def add_options(visitor: Visitor) -> dict[str, Any]:
    return _json(visitor.send("/passkeys/new/options", form_on="/passkeys/new"))


def add(visitor: Visitor, device: Device, name: str = "Phone") -> TestResponse:
    """Add the device's passkey to the visitor's account."""
    form = {"name": name, "credential": device.make(add_options(visitor))}
    return visitor.send("/passkeys/new", form)


def use_options(visitor: Visitor) -> dict[str, Any]:
    return _json(visitor.send("/passkeys/use/options", form_on="/second-factor"))


def use(visitor: Visitor, device: Device) -> TestResponse:
    """Give the device's passkey as the second factor."""
    return send(visitor, device.use(use_options(visitor)))


def send(visitor: Visitor, answer: str) -> TestResponse:
    return visitor.send("/passkeys/use", {"credential": answer}, form_on="/second-factor")


def garbled(answer: str) -> list[str]:
    """Answers that aren't any, and this one with each part gone or of another type."""
    whole = json.loads(answer)
    found = ["", "null", "[]", "{", "\ud800", "a" * 100_000, "[" * 100_000, '{"id": 1}']
    for value in (None, 7, "", "é", "AAAA", {}, []):
        found += [json.dumps({**whole, name: value}) for name in whole]
        response = whole["response"]
        found += [json.dumps({**whole, "response": {**response, name: value}}) for name in response]
    return found


def _json(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found
