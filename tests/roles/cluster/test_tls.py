"""Connections to MongoDB use TLS with certificates of the environment's authority; members want one of clients, too."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import PyMongoError

from ops.certificates import Authority
from tests.deployed import Deployment, Inventory, Process

DIRECTORY = "/etc/ssl/film-library"
REFUSED_MS = 2_000

Options = dict[str, Any]


def answers(deployment: Deployment, process: Process, options: Options) -> bool:
    """Whether the process talks to a client with these options."""
    with deployment.bare_client(process, answer_ms=REFUSED_MS, **options) as client:
        try:
            return bool(client.admin.command("hello"))
        except PyMongoError:
            return False


def plain(_: Options, __: Authority, ___: Path) -> Options:
    return {}


def without_certificate(right: Options, _: Authority, __: Path) -> Options:
    return {name: value for name, value in right.items() if name != "tlsCertificateKeyFile"}


def expired_certificate(right: Options, authority: Authority, scratch: Path) -> Options:
    expired = authority.issue("expired", valid=timedelta(days=-1), file=scratch / "expired.pem")
    return {**right, "tlsCertificateKeyFile": str(expired)}


def foreign_certificate(right: Options, _: Authority, scratch: Path) -> Options:
    return {**right, "tlsCertificateKeyFile": str(Authority.create(scratch).issue("mongodb"))}


def foreign_authority(right: Options, _: Authority, scratch: Path) -> Options:
    return {**right, "tlsCAFile": str(Authority.create(scratch).file)}


Wrong = Callable[[Options, Authority, Path], Options]
EVERYWHERE: list[Wrong] = [plain, expired_certificate, foreign_certificate, foreign_authority]


@pytest.mark.parametrize("wrong", EVERYWHERE, ids=lambda wrong: wrong.__name__)
def test_is_refused(deployment: Deployment, process: Process, wrong: Wrong, tmp_path: Path) -> None:
    authority = deployment.inventory.authority
    assert answers(deployment, process, deployment.tls), "not even the right certificate is accepted"
    assert not answers(deployment, process, wrong(deployment.tls, authority, tmp_path))


def test_a_member_wants_a_certificate_of_clients(deployment: Deployment, member: Process, tmp_path: Path) -> None:
    """Whoever stole the key file alone doesn't get as far as to use it."""
    authority = deployment.inventory.authority
    assert not answers(deployment, member, without_certificate(deployment.tls, authority, tmp_path))


def test_a_router_wants_none(deployment: Deployment, router: Process, tmp_path: Path) -> None:
    authority = deployment.inventory.authority
    assert answers(deployment, router, without_certificate(deployment.tls, authority, tmp_path))


def test_the_certificate_is_for_this_host_alone(deployment: Deployment, inventory: Inventory, machine: str) -> None:
    host = deployment.host(machine)
    text = host.check_output(f"cat {DIRECTORY}/mongodb.crt")
    names = host.check_output(f"openssl x509 -in {DIRECTORY}/mongodb.crt -noout -ext subjectAltName")
    shown = {entry.strip() for entry in names.splitlines()[1].split(",")}
    assert {f"DNS:{machine}", f"IP Address:{inventory.address(machine)}", "IP Address:127.0.0.1"} <= shown
    others = [name for name in inventory.group("all") if name != machine]
    assert not {f"DNS:{other}" for other in others} & shown
    assert ssl.PEM_cert_to_DER_cert(text)


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1"])
def test_old_protocols_are_refused(deployment: Deployment, process: Process, version: str) -> None:
    option = {"TLSv1": "-tls1", "TLSv1.1": "-tls1_1"}[version]
    connect = (
        f"openssl s_client -connect 127.0.0.1:{process.port} -cert {DIRECTORY}/mongodb.pem -CAfile {DIRECTORY}/ca.pem"
    )
    tried = deployment.host(process.host).run(f"{connect} {option} -cipher DEFAULT:@SECLEVEL=0 < /dev/null")
    assert tried.rc != 0
    assert "New, (NONE)" in tried.stdout
    right = deployment.host(process.host).run(f"{connect} -tls1_2 -verify_return_error < /dev/null")
    assert right.rc == 0, right.stdout + right.stderr


def test_keys_are_for_those_who_use_them(deployment: Deployment, machine: str) -> None:
    host = deployment.host(machine)
    files = host.check_output(f"stat --format '%n %U %G %a' {DIRECTORY}/*").splitlines()
    rights = {Path(name).name: (user, group, mode) for name, user, group, mode in map(str.split, files)}
    groups = {"mongodb.pem": "mongodb", "web.pem": "root", "film-library-admin.pem": "film-library-admin"}
    for name, right in rights.items():
        if name.endswith(".key"):
            assert right == ("root", "root", "600"), name
        elif name.endswith(".pem") and name != "ca.pem":
            assert right == ("root", groups[name], "640"), name
    assert rights["ca.pem"] == ("root", "root", "644")


def test_the_authoritys_key_is_on_no_host(deployment: Deployment, inventory: Inventory, machine: str) -> None:
    lines = (inventory.secrets / "ca.key").read_text().splitlines()
    found = deployment.host(machine).run(
        "grep --recursive --files-with-matches %s /etc /var/lib /root /home /tmp", lines[1]
    )
    assert found.stdout == ""
