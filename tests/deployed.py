"""A deployed cluster for tests: its inventory, ssh to its hosts, and MongoDB through ssh.

FILM_LIBRARY_INVENTORY names the inventory; the default is that of `make cluster-up`. Nothing here knows where the
hosts run.
"""

from __future__ import annotations

import json
import os
import shlex
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import testinfra
import yaml
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from testinfra.host import Host

from ops import ssh
from ops.certificates import CA_FILE, CA_KEY_FILE, Authority, controller_options
from ops.paths import ROOT, build_dir
from ops.topology import CONFIG_PORT, MONGOS_PORT, shard_port
from tests.units import log

Client = MongoClient[dict[str, Any]]

INVENTORY_VARIABLE = "FILM_LIBRARY_INVENTORY"
#: Milliseconds in which a running process answers, even on a busy machine.
ANSWER_MS = 20_000
#: Milliseconds until a started process answers: it opens its data files before it listens.
START_MS = 60_000


@dataclass(frozen=True)
class Process:
    """One MongoDB process: its host, the replica set it is a member of ("mongos" for a router), its port."""

    host: str
    name: str
    port: int

    @property
    def unit(self) -> str:
        return "mongos.service" if self.name == "mongos" else f"mongod@{self.name}.service"

    @property
    def administrator(self) -> str:
        """The MongoDB user with all rights on this process; each shard has its own."""
        return "shard-admin" if self.name.startswith("shard") else "cluster-admin"

    def __str__(self) -> str:
        return f"{self.host}:{self.name}"


@dataclass(frozen=True)
class Inventory:
    """An inventory file's content."""

    path: Path
    variables: dict[str, dict[str, Any]]
    groups: dict[str, list[str]]

    @classmethod
    def read(cls) -> Inventory:
        """The inventory under test. Raises FileNotFoundError when there is none."""
        path = Path(os.environ.get(INVENTORY_VARIABLE) or build_dir("local") / "inventory.yml")
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such inventory; run `make cluster-up`, or set {INVENTORY_VARIABLE}")
        command = [str(Path(sys.executable).parent / "ansible-inventory"), "--inventory", str(path), "--list"]
        listing = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        variables = listing.pop("_meta")["hostvars"]
        groups = {name: sorted(group.get("hosts", [])) for name, group in listing.items()}
        return cls(path, variables, groups | {"all": sorted(variables)})

    def group(self, name: str) -> list[str]:
        return self.groups.get(name, [])

    @property
    def shards(self) -> list[str]:
        names = [name for name in self.groups if name.removeprefix("shard").isdecimal()]
        return sorted(names, key=lambda name: int(name.removeprefix("shard")))

    @property
    def replica_sets(self) -> dict[str, list[Process]]:
        """Members of every replica set, by its name."""
        ports = {"config": CONFIG_PORT} | {name: shard_port(int(name.removeprefix("shard"))) for name in self.shards}
        return {name: [Process(host, name, port) for host in self.group(name)] for name, port in ports.items()}

    @property
    def members(self) -> list[Process]:
        return [member for members in self.replica_sets.values() for member in members]

    @property
    def routers(self) -> list[Process]:
        return [Process(host, "mongos", MONGOS_PORT) for host in self.group("mongos")]

    @property
    def processes(self) -> list[Process]:
        return [*self.members, *self.routers]

    def address(self, host: str) -> str:
        return str(self.variables[host]["ansible_host"])

    @property
    def secrets(self) -> Path:
        """The directory of the environment's secrets."""
        return Path(next(iter(self.variables.values()))["cluster_secrets_dir"])

    def site(self, host: str, port: int) -> str:
        """The address of an app on a web host, as browsers have it."""
        return f"https://{self.address(host)}" + (f":{port}" if port != 443 else "")

    @property
    def authority(self) -> Authority:
        """The environment's certificate authority."""
        return Authority.load(self.secrets, (self.secrets / CA_KEY_FILE).read_text())

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """Trusts the environment's certificate authority and no other."""
        return ssl.create_default_context(cafile=str(self.secrets / CA_FILE))

    def browser(self, *handlers: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
        """Opens pages of the apps."""
        return urllib.request.build_opener(urllib.request.HTTPSHandler(context=self.trust), *handlers)

    @cached_property
    def passwords(self) -> dict[str, str]:
        return dict(yaml.safe_load((self.secrets / "passwords.yml").read_text()))

    @cached_property
    def database(self) -> dict[str, Any]:
        """The roles' database variables: collections with their shard keys, roles and users."""
        return dict(yaml.safe_load((ROOT / "ansible/group_vars/all/database.yml").read_text()))


class Deployment:
    """Connections to an inventory's hosts: one ssh connection per host, shared by commands and MongoDB clients."""

    def __init__(self, inventory: Inventory, directory: Path) -> None:
        self.inventory = inventory
        self._directory = directory
        self._hosts: dict[str, Host] = {}
        self._clients: dict[tuple[Process, str | None], Client] = {}

    def host(self, name: str) -> Host:
        """testinfra's host; a command takes some 20 ms."""
        if name not in self._hosts:
            variables = self.inventory.variables[name]
            self._hosts[name] = testinfra.get_host(
                f"ssh://{variables['ansible_user']}@{self.inventory.address(name)}",
                ssh_extra_args=variables.get("ansible_ssh_common_args", ""),
                controlpath=str(self._control(name)),
                sudo=variables["ansible_user"] != "root",
            )
        return self._hosts[name]

    def client(self, process: Process, user: str | None = None) -> Client:
        """A client of that process alone, logged in as one of the deployment's MongoDB users, or not at all.

        It connects over ssh from the host's loopback interface. So it would meet a localhost exception, needs no open
        port, and puts no password on a command line.
        """
        if (process, user) not in self._clients:
            password = self.inventory.passwords[user.replace("-", "_")] if user else None
            self._clients[process, user] = self.new_client(process, user, password)
        return self._clients[process, user]

    def new_client(
        self, process: Process, user: str | None, password: str | None, *, answer_ms: int = ANSWER_MS
    ) -> Client:
        """Like `client`, but the caller closes it."""
        login = {"username": user, "password": password} if user else {}
        return self.bare_client(process, answer_ms=answer_ms, **login, **self.tls)

    def bare_client(self, process: Process, *, answer_ms: int = ANSWER_MS, **options: Any) -> Client:
        """A client that knows neither a password nor a certificate, but what the options say; the caller closes it."""
        return MongoClient(
            f"mongodb://{quote(str(self._socket(process)), safe='')}",
            directConnection=True,
            serverSelectionTimeoutMS=answer_ms,
            **options,
        )

    @cached_property
    def tls(self) -> dict[str, Any]:
        """Options of a client with a certificate of the environment's authority."""
        return controller_options(self.inventory.authority, self._directory)

    def wait_until_it_answers(self, process: Process) -> None:
        """To call after starting a process: systemd reports it started a second or more before it listens."""
        with self.new_client(
            process, None, None, answer_ms=START_MS
        ) as client:  # a new one: others may have cached its state
            try:
                client.admin.command("hello")
            except PyMongoError as error:
                raise AssertionError(f"{process} doesn't answer: {error}\n{self.logs(process)}") from error

    def logs(self, process: Process) -> str:
        """The last lines that systemd and the process logged, for a failed assertion's message."""
        host = self.host(process.host)
        own = host.run("tail --lines=20 %s", f"/var/log/mongodb/{process.name}.log")
        return f"{log(host, process.unit)}\n{own.stdout}"

    def run_with_input(self, host: str, command: list[str], given: str) -> str:
        """The output of a command that root runs on a host with this input. Raises CalledProcessError."""
        root = [] if self.inventory.variables[host]["ansible_user"] == "root" else ["sudo", "-n"]
        words = [*self._ssh(host), shlex.join([*root, *command])]
        return subprocess.run(words, check=True, input=given, stdout=subprocess.PIPE, text=True).stdout

    def _control(self, host: str) -> Path:
        return self._directory / f"{host}.ctl"

    def _socket(self, process: Process) -> Path:
        return self._directory / f"{process.host}-{process.port}.sock"

    def _ssh(self, host: str) -> list[str]:
        variables = self.inventory.variables[host]
        common = shlex.split(str(variables.get("ansible_ssh_common_args", "")))
        destination = f"{variables['ansible_user']}@{self.inventory.address(host)}"
        return ["ssh", *common, "-S", str(self._control(host)), destination]

    def open(self) -> None:
        """Connects to every host and opens a local Unix socket for every MongoDB process."""
        for host in self.inventory.group("all"):
            forwards = [
                option
                for process in self.inventory.processes
                if process.host == host
                for option in ("-L", f"{self._socket(process)}:127.0.0.1:{process.port}")
            ]
            # With -f it returns once every forward listens.
            options = ["-f", "-N", "-M", "-o", "ControlPersist=no", "-o", "ExitOnForwardFailure=yes"]
            subprocess.run([*self._ssh(host), *options, *forwards], check=True, stderr=subprocess.PIPE)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        for host in self.inventory.group("all"):
            subprocess.run([*self._ssh(host), "-O", "exit"], check=False, capture_output=True)


@contextmanager
def connect(inventory: Inventory) -> Iterator[Deployment]:
    """Connections to the inventory's hosts, closed at the end."""
    with ssh.socket_directory() as directory:
        deployment = Deployment(inventory, Path(directory))
        try:
            deployment.open()
            yield deployment
        finally:
            deployment.close()
