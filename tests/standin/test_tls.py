"""The router with TLS, toward clients and toward real servers."""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from ops.certificates import Authority
from ops.local_cluster import LocalCluster
from ops.processes import Process, free_port, wait_for
from standin.tls import Mode, Tls, TlsError, TlsSettings

Document = dict[str, Any]


@pytest.fixture(scope="module")
def strict(data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    """TLS is required, and servers ask every client, the router too, for a certificate."""
    with LocalCluster(data_directory / "strict", mongod=mongod, members=1) as cluster:
        yield cluster


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path)


def port_of(cluster: LocalCluster) -> int:
    assert cluster.router is not None
    return cluster.router.port


def client(cluster: LocalCluster, **options: Any) -> MongoClient[Document]:
    """The administrator's, with these options for TLS instead of the cluster's."""
    password = cluster.passwords["cluster-admin"]
    return MongoClient(
        "localhost",
        port_of(cluster),
        username="cluster-admin",
        password=password,
        serverSelectionTimeoutMS=4000,
        **options,
    )


def refused(connection: MongoClient[Document], *words: str) -> bool:
    with connection, pytest.raises(ServerSelectionTimeoutError) as failed:
        connection.admin.command("ping")
    return any(word in str(failed.value) for word in words)


def test_reads_and_writes_on_all_shards(strict: LocalCluster) -> None:
    with client(strict, tls=True, tlsCAFile=str(strict.directory / "ca.pem")) as connection:
        films = connection["movie_library"]["movies"]
        films.insert_many([{"_id": str(n), "title_hash": n} for n in range(50)])
        assert films.count_documents({}) == 50
        assert sorted(film["title_hash"] for film in films.find().batch_size(7)) == list(range(50))
    for name in ("shard1", "shard2"):
        with strict.shard_client(name) as shard:
            assert shard["movie_library"]["movies"].count_documents({}) > 0


def test_refuses_clients_without_tls(strict: LocalCluster) -> None:
    assert refused(client(strict), "connection closed", "reset")


def test_refuses_other_authorities_certificates(strict: LocalCluster, authority: Authority) -> None:
    own = str(strict.directory / "ca.pem")
    foreign = authority.issue("foreign")
    assert refused(client(strict, tls=True, tlsCAFile=own, tlsCertificateKeyFile=str(foreign)), "closed", "alert")
    assert refused(client(strict, tls=True, tlsCAFile=str(authority.file)), "CERTIFICATE_VERIFY_FAILED")


def test_refuses_old_protocols(strict: LocalCluster) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("localhost", port_of(strict))) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain)
    assert strict.router is not None
    log = strict.router.log
    wait_for("report in the log", lambda: "unsupported protocol" in log.read_text())


def test_a_handshake_may_arrive_byte_by_byte(strict: LocalCluster) -> None:
    context = ssl.create_default_context(cafile=str(strict.directory / "ca.pem"))
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    end = context.wrap_bio(to_client, to_server, server_hostname="localhost")
    with socket.create_connection(("localhost", port_of(strict))) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                end.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in to_server.read():
                    plain.send(bytes([byte]))
                to_client.write(plain.recv(65536))
    assert end.version() == "TLSv1.3"


def test_rotates_certificates(strict: LocalCluster) -> None:
    """New connections get the new certificate, the old ones go on; files that can't be used change nothing."""
    assert strict.tls.authority is not None
    file, ca = strict.tls.file("router"), str(strict.directory / "ca.pem")
    with client(strict, tls=True, tlsCAFile=ca, maxPoolSize=1) as connection:

        def expiry() -> Any:
            return connection.admin.command("serverStatus")["security"]["SSLServerCertificateExpirationDate"]

        before = expiry()
        created = connection.admin.command("serverStatus")["connections"]["totalCreated"]
        strict.tls.authority.issue("router", valid=timedelta(days=20))
        connection.admin.command("rotateCertificates", message="renewed")
        assert expiry() - before > timedelta(days=12)
        assert shown_by(port_of(strict)) == ssl.PEM_cert_to_DER_cert(file.read_text().partition("-----BEGIN PR")[0])
        good = file.read_text()
        for bad in ("rubbish", (strict.directory / "ca.pem").read_text(), None):
            file.write_text(bad) if bad else strict.tls.authority.issue("router", valid=timedelta(days=-1))
            with pytest.raises(OperationFailure, match="Can not set up PEM key file") as failed:
                connection.admin.command("rotateCertificates", 1)
            assert failed.value.code == 140
        file.write_text(good)
        assert expiry() - before > timedelta(days=12)
        # The monitoring connection and the one for commands; no operation lost its connection.
        assert connection.admin.command("serverStatus")["connections"]["totalCreated"] <= created + 2
    with client(strict, tls=True, tlsCAFile=ca) as connection:
        connection.admin.command("ping")


def shown_by(port: int) -> bytes:
    """The certificate that a port shows to clients, in DER."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("localhost", port)))


def test_answers_about_tls_as_a_server_does(strict: LocalCluster) -> None:
    """Rights, options, and modes that can't follow each other."""
    server = strict.primary("config").port
    questions: list[tuple[str, Document]] = [
        ("getParameter", {"tlsMode": 1}),
        ("setParameter", {"tlsMode": "preferTLS"}),
        ("setParameter", {"tlsMode": "requireTLS"}),
        ("setParameter", {"tlsMode": "bogus"}),
        ("rotateCertificates", {"unknown": 1}),
        ("rotateCertificates", {"message": "why"}),
    ]
    answers = []
    for port in (port_of(strict), server):
        with direct(strict, port, "cluster-admin") as admin:
            answers.append([answer(admin, *question) for question in questions])
        with direct(strict, port, "monitor") as least:
            assert answer(least, "rotateCertificates", {})["code"] == 13
            assert answer(least, "setParameter", {"tlsMode": "requireTLS"})["code"] == 13
    assert answers[0] == answers[1]


def answer(connection: MongoClient[Document], command: str, arguments: Document) -> Document:
    try:
        reply = connection.admin.command(command, **arguments)
    except OperationFailure as error:
        reply = dict(error.details or {})
    return {name: value for name, value in reply.items() if name in ("ok", "code", "errmsg", "was", "tlsMode")}


@pytest.mark.thorough
def test_a_running_cluster_changes_over(data_directory: Path, mongod: Path) -> None:
    """From accepting TLS to requiring it, under a client without and one with TLS, and no process restarted."""
    with LocalCluster(data_directory / "allow", mongod=mongod, members=1, tls="allowTLS") as cluster:
        ca = str(cluster.directory / "ca.pem")
        ports = [port_of(cluster), *(member.port for each in cluster.replica_sets for member in each.members)]
        with client(cluster) as plain, client(cluster, tls=True, tlsCAFile=ca) as secure:
            for mode in ("preferTLS", "requireTLS"):
                for port in ports:
                    change_mode(cluster, port, mode)
                secure["movie_library"]["movies"].insert_many([{"title_hash": n} for n in range(20)])
                if mode == "preferTLS":
                    assert plain["movie_library"]["movies"].count_documents({}) == 20
            assert secure["movie_library"]["movies"].count_documents({}) == 40
        assert refused(client(cluster), "connection closed", "reset")


def direct(cluster: LocalCluster, port: int, user: str) -> MongoClient[Document]:
    """A client of one process, with TLS and a certificate."""
    options = {"tlsCAFile": str(cluster.directory / "ca.pem"), "tlsCertificateKeyFile": str(cluster.tls.file("client"))}
    login = {"username": user, "password": cluster.passwords[user]}
    return MongoClient("localhost", port, directConnection=True, tls=True, **options, **login)


def change_mode(cluster: LocalCluster, port: int, mode: str) -> None:
    shard = any(member.port == port for each in cluster.replica_sets[1:] for member in each.members)
    user = "shard-admin" if shard else "cluster-admin"
    with direct(cluster, port, user) as connection:
        connection.admin.command("setParameter", 1, tlsMode=mode)


def test_connects_only_to_servers_with_the_right_name(strict: LocalCluster, tmp_path: Path) -> None:
    """A config server that is reached under a name that isn't in its certificate is none of the cluster's."""
    assert strict.router is not None
    assert strict.tls.authority is not None
    strict.tls.authority.issue("config-0", hosts=["localhost"])
    with direct(strict, strict.primary("config").port, "cluster-admin") as server:
        server.admin.command("rotateCertificates", 1)
    port, log = free_port(), tmp_path / "router.log"
    argv = [sys.executable, "-m", "standin", "--port", str(port), "--keyFile", str(strict.key_file)]
    argv += ["--configdb", f"config/127.0.0.1:{strict.primary('config').port}", "--logpath", str(log)]
    router = Process("wrong-name", [*argv, *strict.tls.arguments("router")], port, log)
    router.start()
    try:
        wait_for("report", lambda: log.exists() and "no TLS connection to 127.0.0.1" in log.read_text())
        assert "IP address mismatch" in log.read_text()
    finally:
        router.stop()


def settings(authority: Authority, mode: Mode = Mode.REQUIRE, **more: Any) -> TlsSettings:
    return TlsSettings(mode, authority.issue("own"), authority.file, **more)


def test_files_are_checked_before_they_are_used(authority: Authority, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for wrong in (
        TlsSettings(Mode.REQUIRE, None, authority.file),
        TlsSettings(Mode.ALLOW, authority.issue("own"), None),
        TlsSettings(Mode.PREFER, tmp_path / "missing.pem", authority.file),
        TlsSettings(Mode.REQUIRE, Authority.create(other).issue("own"), authority.file),
        TlsSettings(Mode.REQUIRE, authority.issue("late", valid=timedelta(days=-1)), authority.file),
    ):
        with pytest.raises(TlsError):
            Tls(wrong)
    Tls(TlsSettings(Mode.DISABLED))


def test_disabled_protocols(authority: Authority) -> None:
    old = Tls(settings(authority, disabled_protocols=frozenset({"TLS1_3"}))).outgoing
    new = Tls(settings(authority, disabled_protocols=frozenset({"TLS1_0", "TLS1_2"}))).outgoing
    assert old is not None
    assert new is not None
    assert (old.minimum_version, old.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    assert new.minimum_version is ssl.TLSVersion.TLSv1_3
