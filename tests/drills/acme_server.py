"""An ACME authority on loopback, which asks for proof on port 80: `acme_server.py DIR PORT ADDRESS NAMES`.

Runs in the environment of requirements/acme.txt. The NAMES lead to ADDRESS. DIR gets the
authority's certificate, ca.pem.
"""

import os
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

SETTINGS = """
[serles]
database = sqlite:///{directory}/acme.sqlite
backend = acme_server:Backend
subjectNameTemplate = CN={{SAN[0]}}
"""


class Backend:
    """Signs certificate requests with a new authority."""

    def __init__(self, _: Any) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A public authority")])
        signs = x509.BasicConstraints(ca=True, path_length=0)
        self._certificate = self._signed(self._name, self._key.public_key(), [(signs, True)])
        Path(os.environ["CONFIG"]).with_name("ca.pem").write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def sign(self, csr: bytes, *_: Any) -> tuple[str, None]:
        """The request's certificate and the authority's, as PEM; and no error."""
        request = x509.load_pem_x509_csr(csr)
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        signed = self._signed(request.subject, request.public_key(), [(names, False)])
        return "".join(c.public_bytes(Encoding.PEM).decode() for c in (signed, self._certificate)), None

    def _signed(self, subject: x509.Name, key: Any, extensions: list[tuple[Any, bool]]) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=90))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, SHA256())


def main(directory: Path, port: int, address: str, names: list[str]) -> None:
    """Serves until it is ended."""
    settings = directory / "acme.ini"
    settings.write_text(SETTINGS.format(directory=directory))
    os.environ["CONFIG"] = str(settings)
    resolve = socket.getaddrinfo
    socket.getaddrinfo = lambda host, *more, **named: resolve(address if host in names else host, *more, **named)

    from serles import create_app  # noqa: PLC0415 - reads CONFIG
    from werkzeug.serving import make_server  # noqa: PLC0415 - with it

    make_server("127.0.0.1", port, create_app(), threaded=True).serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
