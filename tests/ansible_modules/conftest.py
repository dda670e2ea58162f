"""Running this project's Ansible modules as Ansible does, against real mongods."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from ops.local_cluster import LocalCluster
from ops.paths import ANSIBLE
from ops.processes import Process, free_port
from tests.ansible_modules.tls import MEMBER, member_tls

Module = Callable[..., dict[str, Any]]

ADMIN = "set-admin"
PASSWORD = secrets.token_urlsafe(16)


@pytest.fixture(scope="session")
def run_module() -> Module:
    """``run(module, check=False, **arguments)`` -> the module's result, always with `changed` and `failed`."""

    def run(module: str, /, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        command = [Path(sys.executable).with_name("ansible"), "localhost", "--module-name", module, "--diff"]
        command += ["--args", json.dumps(arguments)]
        command += ["--extra-vars", json.dumps({"ansible_python_interpreter": sys.executable})]
        environment = {
            **os.environ,
            "ANSIBLE_STRATEGY": "linear",  # Mitogen starts more processes, which a single task doesn't pay back
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        }
        output = subprocess.run(
            command + ["--check"] * check, env=environment, cwd=ANSIBLE, capture_output=True, text=True, check=False
        )
        assert output.stdout.startswith("{"), output.stdout + output.stderr
        result = json.loads(output.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]
        return {"changed": False, "failed": False, **result}

    return run


@dataclass
class Members:
    """Mongods with key file, authorization and TLS that are in no replica set yet. All are stopped in the end."""

    directory: Path
    mongod: Path
    processes: dict[str, Process] = field(default_factory=dict)

    def start(self, replica_set: str, *, data_of: str | None = None, tls_mode: str = "requireTLS") -> str:
        """Starts one as `--replSet replica_set`, optionally on a stopped one's data. Returns its host:port."""
        key_file = self.directory / "keyfile"
        if not key_file.exists():
            key_file.touch(mode=0o600)
            key_file.write_text(secrets.token_hex(64))
        port = int(data_of.partition(":")[2]) if data_of else free_port()
        data = self.directory / str(port)
        data.mkdir(exist_ok=True)
        argv = [str(self.mongod), "--replSet", replica_set, "--port", str(port), "--bind_ip", "localhost"]
        argv += ["--dbpath", str(data), "--logpath", f"{data}.log", "--logappend", "--nounixsocket"]
        if tls_mode != "disabled":
            argv += [tls_mode if word == "requireTLS" else word for word in member_tls().arguments(MEMBER)]
        argv += ["--keyFile", str(key_file), "--auth", "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "50"]
        process = Process(f"mongod-{port}", argv, port, Path(f"{data}.log"))
        process.start()
        process.wait_until_listening()
        self.processes[f"localhost:{port}"] = process
        return f"localhost:{port}"

    def stop(self) -> None:
        for process in self.processes.values():
            process.stop(signal.SIGKILL)  # the data isn't needed


@pytest.fixture
def members(tmp_path: Path, mongod: Path) -> Iterator[Members]:
    """Starts mongods for one test."""
    started = Members(tmp_path, mongod)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def small_cluster(data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    """Two shards with one member each, for the router's modules."""
    with LocalCluster(data_directory / "modules", mongod=mongod, members=1) as cluster:
        yield cluster


def direct(address: str, *, admin: bool = True) -> MongoClient[dict[str, Any]]:
    """A client of one member."""
    login: dict[str, Any] = {"username": ADMIN, "password": PASSWORD} if admin else {}
    options = {**login, **member_tls().client_options()}
    return MongoClient(f"mongodb://{address}", directConnection=True, serverSelectionTimeoutMS=5000, **options)
