"""How a running MongoDB process uses TLS, as seen from outside: without a login, and without trust in what it shows."""

from __future__ import annotations

import socket
import ssl
import struct
from dataclasses import dataclass
from pathlib import Path

try:
    import bson
except ImportError:  # the modules report it
    bson = None

#: Seconds. The process is on this host.
TIMEOUT = 5.0
#: An OP_MSG's header: length, request id, response to, opcode; then flags and the kind of its only section.
#: Source: the wire protocol's specification in MongoDB's manual.
_OP_MSG = struct.Struct("<iiiiIB")
_OP_MSG_CODE = 2013


@dataclass(frozen=True)
class TlsState:
    """Whether a process accepts connections without TLS (`plain`) and with TLS; its certificate as DER."""

    plain: bool
    certificate: bytes | None

    @property
    def tls(self) -> bool:
        return self.certificate is not None


def tls_state(port: int) -> TlsState | None:
    """The state of the process on this host's port. None if nothing answers there."""
    try:
        return TlsState(_answers_plainly(port), _shown_certificate(port))
    except (ConnectionRefusedError, TimeoutError):
        return None


def certificate_of(file: str) -> bytes:
    """The first certificate of a PEM file, as DER. Raises OSError, and ValueError if there is none."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    _, found, rest = Path(file).read_text().partition(begin)
    if not found:
        raise ValueError(f"{file} has no certificate")
    return ssl.PEM_cert_to_DER_cert(begin + rest.partition(end)[0] + end)


def _answers_plainly(port: int) -> bool:
    body = bson.encode({"hello": 1, "$db": "admin"})
    message = _OP_MSG.pack(_OP_MSG.size + len(body), 1, 0, _OP_MSG_CODE, 0, 0) + body
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        try:
            connection.sendall(message)
            return connection.recv(1) != b""
        except (ConnectionResetError, BrokenPipeError):
            return False


def _shown_certificate(port: int) -> bytes | None:
    # Only compared: whoever connects in earnest checks it. A member shows its own before it wants the client's.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        try:
            with context.wrap_socket(connection) as secured:
                return secured.getpeercert(binary_form=True)
        except (ssl.SSLError, ConnectionResetError):
            return None
