"""TLS: the four modes, contexts made of the certificates' files, and taking up renewed files.

The modes are MongoDB's. allowTLS accepts TLS but connects without it, so that a running cluster can change over: first
every process accepts TLS, then every process uses it (preferTLS), then none does without (requireTLS).
"""

import enum
import ssl
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

HANDSHAKE_SECONDS = 10.0
# A TLS connection begins with a handshake record: its type, and the major version 3.
_HANDSHAKE, _MAJOR = 0x16, 3
# Enough of a connection to tell TLS from a MongoDB message.
PROBE_BYTES = 3


class Mode(enum.Enum):
    DISABLED = "disabled"
    ALLOW = "allowTLS"
    PREFER = "preferTLS"
    REQUIRE = "requireTLS"


# Only these changes are possible while the router runs, as in mongos.
_NEXT = {Mode.ALLOW: Mode.PREFER, Mode.PREFER: Mode.REQUIRE}


class TlsError(Exception):
    """The files can't be used, or the mode can't be changed like this."""


@dataclass(frozen=True)
class TlsSettings:
    """The options of `net.tls`. `cluster_file` is the certificate shown to servers; by default the router's own."""

    mode: Mode = Mode.DISABLED
    certificate_key_file: Path | None = None
    ca_file: Path | None = None
    cluster_file: Path | None = None
    clients_need_certificates: bool = True
    disabled_protocols: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Contexts:
    """Made of one reading of the files. `certificate` is the router's own, as ssl's getpeercert describes it."""

    incoming: ssl.SSLContext
    outgoing: ssl.SSLContext
    certificate: dict[str, Any]


class Tls:
    """The router's TLS. Raises TlsError when the files can't be used."""

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self.mode = settings.mode
        self._contexts = None if self.mode is Mode.DISABLED else _read(settings)

    @property
    def outgoing(self) -> ssl.SSLContext | None:
        """The context of connections to servers; None when they go without TLS."""
        if self._contexts is None or self.mode is Mode.ALLOW:
            return None
        return self._contexts.outgoing

    def incoming(self, beginning: bytes) -> ssl.SSLContext | None:
        """The context for a connection that begins like this; None for one without TLS.

        Raises TlsError for one that the mode doesn't allow.
        """
        wants_tls = len(beginning) == PROBE_BYTES and beginning[:2] == bytes([_HANDSHAKE, _MAJOR]) and beginning[2] > 0
        if wants_tls and self._contexts is None:
            raise TlsError("it uses TLS, which is disabled here")
        if not wants_tls and self.mode is Mode.REQUIRE:
            raise TlsError("it doesn't use TLS, which is required here")
        return self._contexts.incoming if wants_tls and self._contexts else None

    def change_mode(self, name: str) -> str:
        """Change the mode while running. Returns the old one's name. Raises TlsError."""
        names = [mode.value for mode in Mode]
        if name not in names:
            expected = "', '".join(names[:-1])
            raise TlsError(f"Invalid tlsMode setting '{name}', expected one of: '{expected}', or '{names[-1]}'")
        if _NEXT.get(self.mode) is not Mode(name):
            raise TlsError(f"Illegal state transition for tlsMode, attempt to change from {self.mode.value} to {name}")
        before, self.mode = self.mode, Mode(name)
        return before.value

    def rotate(self) -> None:
        """Read the files again, for new connections. Raises TlsError and keeps the old ones if they can't be used."""
        if self._contexts is not None:
            self._contexts = _read(self._settings)

    def status(self) -> dict[str, Any]:
        """What serverStatus says about the certificate; empty without one."""
        if self._contexts is None:
            return {}
        certificate = self._contexts.certificate
        expiry = ssl.cert_time_to_seconds(certificate["notAfter"])
        subject = ",".join(f"{_SHORT.get(key, key)}={value}" for ((key, value),) in reversed(certificate["subject"]))
        return {
            "SSLServerSubjectName": subject,
            "SSLServerHasCertificateAuthority": True,
            "SSLServerCertificateExpirationDate": datetime.fromtimestamp(expiry, timezone.utc),
        }


_SHORT = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU"}


def _read(settings: TlsSettings) -> _Contexts:
    if settings.certificate_key_file is None or settings.ca_file is None:
        # mongos needs the CA since 7.0: without it, nothing that a peer shows would be checked.
        raise TlsError("TLS needs certificateKeyFile and CAFile")
    own, shown = settings.certificate_key_file, settings.cluster_file or settings.certificate_key_file
    incoming = _context(ssl.PROTOCOL_TLS_SERVER, own, settings)
    incoming.verify_mode = ssl.CERT_REQUIRED if settings.clients_need_certificates else ssl.CERT_OPTIONAL
    outgoing = _context(ssl.PROTOCOL_TLS_CLIENT, shown, settings)  # checks host names
    probe = _context(ssl.PROTOCOL_TLS_CLIENT, shown, settings)
    probe.check_hostname = False
    try:
        return _Contexts(incoming, outgoing, _handshake(probe, incoming))
    except ssl.SSLError as error:
        raise TlsError(f"{own}: {error}") from error


def _context(protocol: int, certificate: Path, settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if "TLS1_2" in settings.disabled_protocols:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    if "TLS1_3" in settings.disabled_protocols:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    for path, load in ((certificate, context.load_cert_chain), (settings.ca_file, context.load_verify_locations)):
        try:
            load(str(path))
        except (OSError, ValueError) as error:
            raise TlsError(f"{path}: {error}") from error
    return context


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, Any]:
    """Connect the contexts in memory. Returns the server's certificate. Raises ssl.SSLError.

    So a certificate that is expired, or of another authority, is found before it is used; and the standard library
    has no other way to read one.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    for _ in range(4):  # more than the flights of a handshake
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(ends[0].getpeercert() or {})
