"""A cluster of plain processes on loopback: real mongods and a router, without root or containers.

`make dev` and the tests' fixtures run on it. It resembles the deployed cluster: key file and authorization from each
process's first start, the same users, roles and shard keys (from `ansible/group_vars/all/database.yml`), and no
localhost exception left open on any shard; and with TLS, certificates on both sides of every member's connections.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote_plus

import yaml
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ops.certificates import ClusterTls
from ops.paths import ANSIBLE
from ops.processes import START_TIMEOUT, Process, StartError, free_port, wait_for

DATABASE_FILE = ANSIBLE / "group_vars/all/database.yml"
CLUSTER_ADMIN = "cluster-admin"
SHARD_ADMIN = "shard-admin"
MONITOR = "monitor"  # asks members too

Client = MongoClient[dict[str, Any]]


@dataclass
class ReplicaSet:
    """A replica set on loopback, with mongod's cluster role (None outside a cluster)."""

    name: str
    cluster_role: str | None
    members: list[Process] = field(default_factory=list)

    @property
    def hosts(self) -> list[str]:
        return [f"localhost:{member.port}" for member in self.members]

    @property
    def connection_string(self) -> str:
        return f"{self.name}/{','.join(self.hosts)}"


class LocalCluster:
    """Context manager: a sharded cluster, or with ``shards=0`` one replica set, on free loopback ports.

    Args:
        directory: for data, logs and the key file; empty or missing.
        shards: number of shards; 0 means a single replica set without a router.
        members: members of every replica set.
        mongod: path of the mongod binary.
        cache_gb: WiredTiger cache of each mongod, in GB.
        test_commands: whether tests may make mongods fail (configureFailPoint).
        tls: the mode of TLS (`net.tls.mode`); None for processes that know nothing of it.

    Raises:
        StartError: a process didn't start; all others have been stopped.
    """

    def __init__(
        self,
        directory: Path,
        *,
        mongod: Path,
        shards: int = 2,
        members: int = 3,
        cache_gb: float = 0.25,
        test_commands: bool = False,
        tls: str | None = "requireTLS",
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.directory = directory
        self.mongod = mongod
        self.cache_gb = cache_gb
        self.test_commands = test_commands
        self.tls = ClusterTls(directory, tls)
        self.say = say
        self.key_file = directory / "keyfile"
        self.database: dict[str, Any] = yaml.safe_load(DATABASE_FILE.read_text())
        self.passwords: dict[str, str] = {}
        if shards:
            self.replica_sets = [self._replica_set("config", "configsvr", members)]
            self.replica_sets += [self._replica_set(f"shard{n}", "shardsvr", members) for n in range(1, shards + 1)]
            self.router: Process | None = self._router()
        else:
            self.replica_sets = [self._replica_set("single", None, members)]
            self.router = None

    # -- life cycle

    def __enter__(self) -> Self:
        self._write_secrets()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        mongods = [member for replica_set in self.replica_sets for member in replica_set.members]
        self.say(f"starting {len(mongods)} mongod processes")
        for member in mongods:
            member.start()
        for member in mongods:
            member.wait_until_listening()
        self.say("initiating replica sets")
        with ThreadPoolExecutor(len(self.replica_sets)) as pool:
            list(pool.map(self._initiate, self.replica_sets))
        if self.router is not None:
            self.say("starting the router")
            self.router.start()
            self.router.wait_until_listening()
        self._create_users()
        if self.router is not None:
            self._shard()

    @property
    def processes(self) -> list[Process]:
        """Every process: all members, then the router."""
        members = [member for replica_set in self.replica_sets for member in replica_set.members]
        return members + ([self.router] if self.router else [])

    def stop(self) -> None:
        """Kill every process: a clean shutdown takes 15 s, and the data is deleted anyway."""
        for process in self.processes:
            process.send(signal.SIGKILL)
        for process in self.processes:
            process.stop()

    # -- how to reach it

    def uri(self, user: str = CLUSTER_ADMIN, password: str | None = None) -> str:
        """A user's connection string for the router, or for the single replica set."""
        password = password or self.passwords[user]
        if self.router is not None:
            hosts, options = f"localhost:{self.router.port}", ""
        else:
            hosts, options = ",".join(self.replica_sets[0].hosts), f"&replicaSet={self.replica_sets[0].name}"
        options += self.tls.uri_options(member=self.router is None or user == MONITOR)
        return f"mongodb://{user}:{quote_plus(password)}@{hosts}/?authSource=admin{options}"

    def client(self, user: str = CLUSTER_ADMIN) -> Client:
        """A user's PyMongo client; the caller closes it."""
        return MongoClient(self.uri(user), serverSelectionTimeoutMS=10_000)

    def shard_client(self, name: str) -> Client:
        """A client of one shard, bypassing the router, as the shard's administrator."""
        replica_set = self.replica_set(name)
        return MongoClient(
            replica_set.hosts,
            replicaSet=name,
            username=SHARD_ADMIN,
            password=self.passwords[SHARD_ADMIN],
            serverSelectionTimeoutMS=10_000,
            **self.tls.client_options(),
        )

    def replica_set(self, name: str) -> ReplicaSet:
        return next(replica_set for replica_set in self.replica_sets if replica_set.name == name)

    def primary(self, name: str) -> Process:
        """A replica set's current primary; waits until one is elected."""
        replica_set = self.replica_set(name)

        def writable() -> Process | None:
            for member in replica_set.members:
                if member.alive() and self._hello(member.port).get("isWritablePrimary"):
                    return member
            return None

        try:
            return wait_for(f"a primary of {name}", writable)
        except TimeoutError as error:
            raise StartError(str(error)) from error

    # -- building it

    def _replica_set(self, name: str, cluster_role: str | None, members: int) -> ReplicaSet:
        replica_set = ReplicaSet(name, cluster_role)
        replica_set.members = [self._mongod(name, cluster_role, n) for n in range(members)]
        return replica_set

    def _mongod(self, replica_set: str, cluster_role: str | None, number: int) -> Process:
        name, port = f"{replica_set}-{number}", free_port()
        data = self.directory / name
        argv = [str(self.mongod), "--replSet", replica_set, "--port", str(port), "--bind_ip", "localhost"]
        argv += ["--dbpath", str(data), "--logpath", f"{data}.log", "--logappend", "--nounixsocket"]
        argv += ["--keyFile", str(self.key_file), "--auth", "--noscripting"]
        argv += ["--wiredTigerCacheSizeGB", str(self.cache_gb), "--oplogSize", "200"]
        argv += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        if self.test_commands:
            argv += ["--setParameter", "enableTestCommands=1"]
        if cluster_role:
            argv += [f"--{cluster_role}"]
        argv += self.tls.arguments(name)
        return Process(name, argv, port, Path(f"{data}.log"))

    def _router(self) -> Process:
        port, log = free_port(), self.directory / "router.log"
        on_path = shutil.which("mongod") if shutil.which("mongos") else None
        mongos = "mongos" if on_path == str(self.mongod) else os.environ.get("FILM_LIBRARY_MONGOS")
        program = [mongos] if mongos else [sys.executable, "-m", "standin"]
        argv = [*program, "--configdb", self.replica_sets[0].connection_string, "--port", str(port)]
        argv += ["--bind_ip", "localhost", "--keyFile", str(self.key_file), "--noscripting", "--logpath", str(log)]
        argv += self.tls.arguments("router", clients_need_certificates=False)
        return Process("router", argv, port, log)

    def _write_secrets(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for replica_set in self.replica_sets:
            for member in replica_set.members:
                (self.directory / member.name).mkdir()
        self.tls.write([process.name for process in self.processes])
        self.key_file.touch(mode=0o600)
        self.key_file.write_bytes(base64.b64encode(secrets.token_bytes(567)))
        users = [user["name"] for user in self.database["cluster_database_users"]]
        self.passwords = {name: secrets.token_urlsafe(24) for name in (CLUSTER_ADMIN, SHARD_ADMIN, *users)}

    def _initiate(self, replica_set: ReplicaSet) -> None:
        config: dict[str, Any] = {
            "_id": replica_set.name,
            "members": [{"_id": n, "host": host} for n, host in enumerate(replica_set.hosts)],
            # On loopback: replaces a killed primary in about 2 s instead of 11.
            "settings": {"electionTimeoutMillis": 2000},
        }
        if replica_set.cluster_role == "configsvr":
            config["configsvr"] = True
        with self._direct(replica_set.members[0].port) as client:
            client.admin.command("replSetInitiate", config)
        self.primary(replica_set.name)

    def _create_users(self) -> None:
        """The administrators with the localhost exception, then all others as administrator."""
        for replica_set in self.replica_sets:
            if replica_set.cluster_role == "shardsvr":
                self._first_user(self.primary(replica_set.name).port, SHARD_ADMIN)
        self._first_user(self.router.port if self.router else self.primary("single").port, CLUSTER_ADMIN)
        with self.client() as client:
            self._add_users(client, "database")
        for replica_set in self.replica_sets:
            if replica_set.cluster_role == "shardsvr":
                with self.shard_client(replica_set.name) as client:
                    self._add_users(client, "shard")

    def _add_users(self, client: Client, where: str) -> None:
        for role in self.database[f"cluster_{where}_roles"]:
            client.admin.command("createRole", role["name"], privileges=role["privileges"], roles=[])
        for user in self.database[f"cluster_{where}_users"]:
            client.admin.command("createUser", user["name"], pwd=self.passwords[user["name"]], roles=user["roles"])

    def _first_user(self, port: int, name: str) -> None:
        with self._direct(port) as client:
            client.admin.command("createUser", name, pwd=self.passwords[name], roles=["root"])

    def _shard(self) -> None:
        with self.client() as client:
            for replica_set in self.replica_sets[1:]:
                client.admin.command("addShard", replica_set.connection_string, name=replica_set.name)
            database = self.database["cluster_database"]
            client.admin.command("enableSharding", database)
            for entry in self.database["cluster_sharded_collections"]:
                client.admin.command("shardCollection", f"{database}.{entry['collection']}", key=entry["key"])

    @contextlib.contextmanager
    def _direct(self, port: int, *, seconds: float = START_TIMEOUT) -> Iterator[Client]:
        """A client with a direct connection to one process, which must answer within `seconds`."""
        options: dict[str, Any] = {"directConnection": True, "serverSelectionTimeoutMS": int(seconds * 1000)}
        client: Client = MongoClient("localhost", port, **options, **self.tls.client_options())
        try:
            yield client
        finally:
            client.close()

    def _hello(self, port: int) -> dict[str, Any]:
        """The reply to `hello`; empty if the process isn't responding."""
        try:
            with self._direct(port, seconds=2) as client:
                return client.admin.command("hello")
        except PyMongoError:
            return {}
