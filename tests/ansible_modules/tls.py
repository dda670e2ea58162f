"""Certificates for the mongods of these tests and for the modules that talk to them, made once."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from ops.certificates import ClusterTls

MEMBER = "member"
_directory = tempfile.TemporaryDirectory(prefix="film-library-modules-")


@cache
def member_tls() -> ClusterTls:
    """TLS as on hosts: required, and members ask every client for a certificate."""
    tls = ClusterTls(Path(_directory.name), "requireTLS")
    tls.write([MEMBER])
    return tls


def module_options(tls: ClusterTls) -> dict[str, str]:
    """A module's options for servers with this TLS."""
    options = tls.client_options()
    return {"login_ca_file": options["tlsCAFile"], "login_certificate_file": options["tlsCertificateKeyFile"]}
