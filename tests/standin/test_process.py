"""The process: options, invalid configurations, addresses, stopping."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from ops.local_cluster import LocalCluster
from ops.paths import ROOT
from ops.processes import Process, free_port
from standin import cli

NOWHERE = "config/localhost:1"
NO_JAVASCRIPT = {6108304, 31264}  # as $where and $function are answered without an engine
RUNNABLE = {"security": {"keyFile": "KEY"}, "sharding": {"configDB": NOWHERE}}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "standin", *arguments]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keyfile"
    path.touch(mode=0o600)
    path.write_text("c2VjcmV0IG9mIGEgY2x1c3Rlcg==\n")
    return path


def test_version_and_help_say_it_is_not_mongos(capsys: pytest.CaptureFixture[str]) -> None:
    result = run("--version")
    assert result.returncode == 0
    assert "NOT MongoDB's router" in result.stdout
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    assert "NOT MongoDB's router" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        ({}, "never runs without"),
        ({"security": {"keyFile": "KEY"}}, "sharding.configDB"),
        ({"security": {"keyFile": "KEY"}, "sharding": {"configDB": "localhost:27019"}}, "sharding.configDB"),
        ({"security": {"keyFile": "KEY"}, "sharding": {"configDB": NOWHERE}, "net": {"port": 99999}}, "port number"),
        ({"security": {"keyFile": "KEY"}, "sharding": {"configDB": NOWHERE}, "nett": {"port": 1}}, "nett.port"),
        ({**RUNNABLE, "net": {"tls": {"mode": "requireTLS"}}}, "needs certificateKeyFile and CAFile"),
        ({**RUNNABLE, "net": {"tls": {"mode": "always"}}}, "'always' is none of disabled"),
        ({**RUNNABLE, "net": {"tls": {"disabledProtocols": "TLS1_1,SSL3"}}}, "SSL3 is not supported"),
        ({**RUNNABLE, "net": {"tls": {"allowInvalidHostnames": "true"}}}, "unrecognized option"),
        ({"security": {"keyFile": "/nonexistent"}, "sharding": {"configDB": NOWHERE}}, "No such file"),
    ],
)
def test_refuses_a_wrong_configuration(
    tmp_path: Path, key_file: Path, capsys: pytest.CaptureFixture[str], file: dict[str, Any], complaint: str
) -> None:
    path = tmp_path / "mongos.conf"
    path.write_text(str(file).replace("KEY", str(key_file)))  # such a dict's text is YAML
    assert cli.main(["--config", str(path)]) == 2
    assert complaint in capsys.readouterr().err


def test_refuses_an_open_key_file(key_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key_file.chmod(0o640)
    assert cli.main(["--configdb", NOWHERE, "--keyFile", str(key_file)]) == 2
    assert "too open" in capsys.readouterr().err


def test_refuses_a_key_that_is_not_the_clusters(small_cluster: LocalCluster, key_file: Path) -> None:
    result = run("--configdb", small_cluster.replica_sets[0].connection_string, "--keyFile", str(key_file))
    assert result.returncode == 48
    assert "log-in with the key file failed" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("own_first", [True, False])
def test_two_keys_are_known_while_one_replaces_the_other(
    small_cluster: LocalCluster, tmp_path: Path, key_file: Path, own_first: bool
) -> None:
    """Whichever is first: processes that have the other one alone are reached, too."""
    known, other = ("".join(file.read_text().split()) for file in (small_cluster.key_file, key_file))
    keys = [known, other] if own_first else [other, known]
    key_file.write_text("".join(f'- "{key}"\n' for key in keys))
    port, log = free_port(), tmp_path / "router.log"
    argv = [sys.executable, "-m", "standin", "--configdb", small_cluster.replica_sets[0].connection_string]
    process = Process("two-keys", [*argv, "--port", str(port), "--keyFile", str(key_file)], port, log)
    process.start()
    try:
        process.wait_until_listening()
        with MongoClient(
            "localhost", port, username="cluster-admin", password=small_cluster.passwords["cluster-admin"]
        ) as client:
            assert set(client.admin.command("listDatabases", nameOnly=True)) >= {"databases"}
            assert client["standin_tests"]["two_keys"].count_documents({}) == 0
    finally:
        process.stop()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [('- "abcdefgh"\n' * 3, "3 keys"), ('- "abcdefgh"\n- "a b"\n', "6 to 1024 base64"), ("[a", "base64")],
)
def test_refuses_other_lists_of_keys(
    key_file: Path, capsys: pytest.CaptureFixture[str], text: str, complaint: str
) -> None:
    key_file.write_text(text)
    assert cli.main(["--configdb", NOWHERE, "--keyFile", str(key_file)]) == 2
    assert complaint in capsys.readouterr().err


def test_refuses_a_taken_port(small_cluster: LocalCluster) -> None:
    assert small_cluster.router is not None
    result = run(*small_cluster.router.argv[3:6], str(small_cluster.router.port), *small_cluster.router.argv[7:-2])
    assert result.returncode == 48
    assert "can't listen" in result.stderr


# On a collection that every process has: $function is refused only when there is a document to run it on.
@pytest.mark.parametrize(
    "command",
    [
        {"find": "system.version", "filter": {"$where": "true"}},
        {
            "aggregate": "system.version",
            "pipeline": [{"$project": {"x": {"$function": {"body": "function() {}", "args": [], "lang": "js"}}}}],
            "cursor": {},
        },
    ],
    ids=["$where", "$function"],
)
def test_no_process_of_the_cluster_runs_javascript(small_cluster: LocalCluster, command: dict[str, Any]) -> None:
    for process in small_cluster.processes:
        name = "shard-admin" if process.name.startswith("shard") else "cluster-admin"
        client: MongoClient[dict[str, Any]] = MongoClient(
            "localhost", process.port, username=name, password=small_cluster.passwords[name], directConnection=True
        )
        with client, pytest.raises(OperationFailure) as refused:
            client.admin.command(command)
        assert refused.value.code in NO_JAVASCRIPT, (process.name, refused.value)


def test_listens_only_where_told_and_stops_cleanly(small_cluster: LocalCluster, tmp_path: Path) -> None:
    port, log, pid = free_port(), tmp_path / "router.log", tmp_path / "pid"
    file = tmp_path / "mongos.conf"
    file.write_text(
        f"sharding: {{configDB: '{small_cluster.replica_sets[0].connection_string}'}}\n"
        f"net: {{port: {port}, bindIp: '127.0.0.1,127.0.0.3'}}\n"
        f"security: {{keyFile: {small_cluster.key_file}, javascriptEnabled: false}}\n"
        f"systemLog: {{destination: file, path: {log}, logAppend: true}}\n"
        f"processManagement: {{pidFilePath: {pid}}}\n"
    )
    process = Process("second-router", [sys.executable, "-m", "standin", "--config", str(file)], port, log)
    process.start()
    try:
        process.wait_until_listening()
        assert process.popen is not None
        assert int(pid.read_text()) == process.popen.pid
        for address, answers in (("127.0.0.3", True), ("127.0.0.2", False)):
            with socket.socket() as probe:
                assert (probe.connect_ex((address, port)) == 0) is answers
        password = small_cluster.passwords["cluster-admin"]
        client: MongoClient[dict[str, Any]] = MongoClient(
            "127.0.0.1", port, username="cluster-admin", password=password, serverSelectionTimeoutMS=1000
        )
        with client:
            assert client.admin.command("serverStatus")["standin"] is True
            assert client.admin.command("hello")["msg"] == "isdbgrid"
            # Log rotation must not stop it.
            process.send(signal.SIGUSR1)
            log.rename(tmp_path / "old.log")
            client.admin.command("ping")
            process.send(signal.SIGTERM)
            assert process.popen.wait(10) == 0
    finally:
        process.stop()
    assert "NOT MongoDB's router" in (tmp_path / "old.log").read_text()
    assert "stopped" in log.read_text()
    assert "Traceback" not in process.last_words(1000)


def test_waits_for_the_config_servers(mongod: Path, key_file: Path, tmp_path: Path) -> None:
    """Started before them, it logs that it waits, and opens its port once they have a primary."""
    port, config_port, log = free_port(), free_port(), tmp_path / "router.log"
    argv = [sys.executable, "-m", "standin", "--configdb", f"config/localhost:{config_port}", "--port", str(port)]
    router = Process("early-router", [*argv, "--keyFile", str(key_file), "--logpath", str(log)], port, log)
    data = tmp_path / "data"
    data.mkdir()
    server_argv = [str(mongod), "--configsvr", "--replSet", "config", "--port", str(config_port), "--dbpath", str(data)]
    server_argv += ["--keyFile", str(key_file), "--bind_ip", "localhost", "--nounixsocket"]
    server = Process("config", [*server_argv, "--logpath", str(tmp_path / "mongod.log")], config_port, log)
    router.start()
    try:
        while not log.exists() or "waiting for the config servers" not in log.read_text():
            assert router.alive()
            time.sleep(0.1)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
        server.start()
        server.wait_until_listening()
        members = [{"_id": 0, "host": f"localhost:{config_port}"}]
        with MongoClient("localhost", config_port, directConnection=True) as client:
            client.admin.command("replSetInitiate", {"_id": "config", "configsvr": True, "members": members})
        router.wait_until_listening()
        localhost_exception(port)
    finally:
        router.stop()
        server.stop()


def localhost_exception(port: int) -> None:
    """Only the first user can be created without login."""
    with MongoClient("localhost", port) as client:
        with pytest.raises(OperationFailure, match="requires authentication"):
            client["elsewhere"].command("createUser", "first", pwd="first", roles=[])
        with pytest.raises(OperationFailure, match="requires authentication"):
            client.admin.command("addShard", "evil/localhost:1")
        with pytest.raises(OperationFailure, match="requires authentication"):
            client.admin.command("usersInfo", 1)
        client.admin.command("createUser", "first", pwd="first", roles=["root"])
        with pytest.raises(OperationFailure, match="requires authentication"):
            client.admin.command("createUser", "second", pwd="second", roles=["root"])
