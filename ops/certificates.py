"""Certificates: an environment's authority, and those of the processes of `make dev` and the tests.

Hosts' certificates are issued by the Ansible role `certificates`, with the environment's authority.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_FILE = "ca.pem"
CA_KEY_FILE = "ca.key"
CLIENT = "client"
LOOPBACK = ("localhost", "127.0.0.1")
# Certificates of a process are good for both: members are clients of each other.
_USES = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
# For clocks that differ.
_EARLIER = timedelta(minutes=5)


class Authority:
    """A certificate authority. `file` is its certificate, for clients and servers; its key is only in memory."""

    def __init__(self, directory: Path, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> None:
        self._directory = directory
        self._name = name
        self._key = key
        self.file = directory / CA_FILE

    @classmethod
    def create(
        cls, directory: Path, name: str = "Film Library on loopback", *, valid: timedelta = timedelta(days=30)
    ) -> Authority:
        """A new one; writes its certificate to the directory."""
        authority = cls(directory, _name(name), ec.generate_private_key(ec.SECP256R1()))
        builder = authority._builder(authority._name, authority._key.public_key(), valid)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(signs=True), critical=True)
        authority.file.write_bytes(builder.sign(authority._key, SHA256()).public_bytes(Encoding.PEM))
        return authority

    @classmethod
    def load(cls, directory: Path, pem: str) -> Authority:
        """The one with this key, whose certificate is in the directory. Raises OSError and ValueError."""
        key = load_pem_private_key(pem.encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"the key for {directory / CA_FILE} must be of an elliptic curve")
        certificate = x509.load_pem_x509_certificate((directory / CA_FILE).read_bytes())
        return cls(directory, certificate.subject, key)

    def private_key(self) -> str:
        """The key as PEM, unencrypted."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def issue(
        self,
        name: str,
        hosts: Sequence[str] = LOOPBACK,
        *,
        valid: timedelta = timedelta(days=7),
        file: Path | None = None,
    ) -> Path:
        """A file with a new key and its certificate for these host names and addresses; replaces an older one."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(name), key.public_key(), valid)
        names = x509.SubjectAlternativeName([_host(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(_USES), critical=False)
        builder = builder.add_extension(_key_usage(signs=False), critical=True)
        certificate = builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)
        path = file or self._directory / f"{name}.pem"
        path.touch(mode=0o600)
        path.write_bytes(certificate + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return path

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, valid: timedelta) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .issuer_name(self._name)
            .subject_name(subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, now + valid) - _EARLIER)
            .not_valid_after(now + valid)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(identifier, critical=False)
        )


def controller_options(authority: Authority, build: Path) -> dict[str, Any]:
    """MongoClient's options for the processes of an environment's hosts, through forwarded sockets.

    ssh has made sure of the host, whose name the socket's path hides. The controller's own certificate, in the
    directory `build`, is for this day.
    """
    file = build / "controller.pem"
    authority.issue("controller", valid=timedelta(days=1), file=file)
    return {
        "tls": True,
        "tlsCAFile": str(authority.file),
        "tlsCertificateKeyFile": str(file),
        "tlsAllowInvalidHostnames": True,
    }


class ClusterTls:
    """How the processes of one cluster, and their clients, use TLS. `mode` is `net.tls.mode`, None for no options."""

    def __init__(self, directory: Path, mode: str | None) -> None:
        self.mode = mode
        self.authority: Authority | None = None
        self._directory = directory

    def write(self, processes: Sequence[str]) -> None:
        """Make a certificate for each process and for the clients."""
        if self.mode:
            self.authority = Authority.create(self._directory)
            for name in (*processes, CLIENT):
                self.authority.issue(name)

    def file(self, name: str) -> Path:
        """The certificate, with its key, of a process or of CLIENT."""
        return self._directory / f"{name}.pem"

    def arguments(self, process: str, *, clients_need_certificates: bool = True) -> list[str]:
        """Arguments of mongod and mongos."""
        if not self.mode:
            return []
        argv = ["--tlsMode", self.mode, "--tlsCAFile", str(self._directory / CA_FILE)]
        argv += ["--tlsCertificateKeyFile", str(self.file(process))]
        return argv if clients_need_certificates else [*argv, "--tlsAllowConnectionsWithoutCertificates"]

    def client_options(self, *, member: bool = True) -> dict[str, Any]:
        """MongoClient's options; a `member` asks for a certificate. Empty while there is a way without TLS."""
        if self.mode not in ("preferTLS", "requireTLS"):
            return {}
        options: dict[str, Any] = {"tls": True, "tlsCAFile": str(self._directory / CA_FILE)}
        return {**options, "tlsCertificateKeyFile": str(self.file(CLIENT))} if member else options

    def uri_options(self, *, member: bool) -> str:
        """The same for the end of a URI."""
        options = self.client_options(member=member)
        texts = {name: "true" if value is True else quote_plus(value) for name, value in options.items()}
        return "".join(f"&{name}={text}" for name, text in texts.items())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
