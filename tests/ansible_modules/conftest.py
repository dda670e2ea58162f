"""Running this project's Ansible modules as Ansible does, against real mongods."""

from __future__ import annotations

import json
import runpy
import secrets
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible.module_utils
import pytest
from ansible.module_utils.testing import patch_module_args
from pymongo import MongoClient

from ops.local_cluster import LocalCluster
from ops.paths import ANSIBLE
from ops.processes import Process, free_port
from tests.ansible_modules.tls import MEMBER, member_tls

Module = Callable[..., dict[str, Any]]

ADMIN = "set-admin"
PASSWORD = secrets.token_urlsafe(16)


@pytest.fixture
def run_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Module:
    """``run(module, check=False, **arguments)`` -> the module's result, always with `changed` and `failed`.

    Modules run in this process, through Ansible's own utility for that: its command line takes two seconds each time.
    """
    # As Ansible's loader does for the module_utils of ansible.cfg.
    monkeypatch.setattr(
        ansible.module_utils, "__path__", [*ansible.module_utils.__path__, str(ANSIBLE / "plugins/module_utils")]
    )

    def run(module: str, /, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        own = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_module_name": module}
        capsys.readouterr()
        with patch_module_args(arguments | own), pytest.raises(SystemExit):
            runpy.run_path(str(ANSIBLE / f"plugins/modules/{module}.py"), run_name="__main__")
        return {"changed": False, "failed": False, **json.loads(capsys.readouterr().out)}

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


@pytest.fixture(scope="session")
def small_cluster(data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    """Two shards with one member each, for the router's modules."""
    with LocalCluster(data_directory / "modules", mongod=mongod, members=1) as cluster:
        yield cluster


def direct(address: str, *, admin: bool = True) -> MongoClient[dict[str, Any]]:
    """A client of one member."""
    login: dict[str, Any] = {"username": ADMIN, "password": PASSWORD} if admin else {}
    options = {**login, **member_tls().client_options()}
    return MongoClient(f"mongodb://{address}", directConnection=True, serverSelectionTimeoutMS=5000, **options)
