"""The cluster's current state. Every process is asked directly; only the phases' durations are stored."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from ops import backup_host, certificates, inventory, rotation, secrets
from ops.fleet import Fleet
from ops.paths import ANSIBLE, ROOT, backups_dir, build_dir, secrets_dir
from ops.progress import table
from ops.topology import ADMIN_APP_PORT, CONFIG_PORT, MONGOS_PORT, USER_APP_PORT, shard_port

Client = MongoClient[dict[str, Any]]

_TIMEOUT_SECONDS = 3.0
_HEALTHY = {"PRIMARY", "SECONDARY", "up", "ready"}
_INDEXES: dict[str, Any] = {"$indexStats": {}}
_DATABASE = ANSIBLE / "group_vars" / "all" / "database.yml"


@dataclass(frozen=True)
class Row:
    """One process and its state, as reported by itself."""

    host: str
    role: str
    port: int
    state: str

    @property
    def healthy(self) -> bool:
        return self.state in _HEALTHY


@dataclass
class Status:
    """The state of an environment. `documents` is shard -> collection -> count; `router` is None if none responds."""

    environment: str
    processes: list[Row]
    urls: dict[str, str]
    passwords: str
    authority: str
    documents: dict[str, dict[str, int]] = field(default_factory=dict)
    expiries: dict[str, str] = field(default_factory=dict)  # host:port -> end of its certificate, ISO 8601
    router: dict[str, Any] | None = None
    backups: list[str] = field(default_factory=list)  # how they are doing, in sentences
    backup_problems: list[str] = field(default_factory=list)
    index_problems: list[str] = field(default_factory=list)  # what shards lack, in sentences
    index_builds: list[str] = field(default_factory=list)  # what they are building
    phases: dict[str, float] = field(default_factory=dict)  # seconds of each phase in the last complete cluster-up

    @property
    def healthy(self) -> bool:
        return all(row.healthy for row in self.processes)


def collect(env: str, hosts: Fleet) -> Status:
    """Asks every process of the environment."""
    web = hosts.addresses[hosts.groups["web"][0]]
    user, admin = inventory.names(env)
    status = Status(
        environment=env,
        processes=[],
        urls={"user app": _url(user or web, USER_APP_PORT), "admin app": _url(admin or web, ADMIN_APP_PORT)},
        passwords=str((secrets_dir(env) / "passwords.yml").relative_to(ROOT)),
        authority=str((secrets_dir(env) / certificates.CA_FILE).relative_to(ROOT)),
    )
    if _phases_file(env).exists():
        status.phases = json.loads(_phases_file(env).read_text())
    passwords = secrets.load_passwords(env)
    replaced = rotation.pending(env)
    probe = _Probe(status, [passwords, *([passwords | replaced.passwords] if replaced else [])], hosts)
    with ThreadPoolExecutor(max_workers=16) as pool:
        into = None if env == "aws" else backups_dir(env)
        backups = pool.submit(backup_host.describe, hosts.remote(hosts.groups["web"][0]), into)
        status.processes = list(pool.map(lambda ask: ask(), probe.questions()))
    status.index_problems, status.index_builds = index_differences(probe.indexes)
    status.backups, status.backup_problems = backups.result()
    return status


def index_differences(indexes: dict[str, dict[str, dict[str, bool]]]) -> tuple[list[str], list[str]]:
    """One sentence for each index that a shard lacks, and for each that it is building.

    `indexes` is shard -> collection -> index -> whether ready, as the primaries say. The router can't tell: it asks one
    shard only. A shard that doesn't have the collection yet lacks nothing.
    """
    missing, building = [], []
    for collection in sorted({name for shard in indexes.values() for name in shard}):
        holders = {shard: had[collection] for shard, had in sorted(indexes.items()) if had.get(collection)}
        for index in sorted({name for had in holders.values() for name in had}):
            for shard, had in holders.items():
                if index not in had:
                    missing.append(f"{collection}.{index} is missing on {shard}")
                elif not had[index]:
                    building.append(f"{collection}.{index} is being built on {shard}")
    return missing, building


def remember_phases(env: str, seconds: dict[str, float]) -> None:
    """Stores the duration of each phase of cluster-up, for `make cluster-status`."""
    _phases_file(env).write_text(json.dumps({name: round(value, 1) for name, value in seconds.items()}))


def _phases_file(env: str) -> Path:
    return build_dir(env) / "phases.json"


class _Probe:
    def __init__(self, status: Status, passwords: list[dict[str, str]], hosts: Fleet) -> None:
        self._status = status
        self._passwords = passwords
        self._hosts = hosts
        authority = secrets.authority(status.environment)
        self._tls = certificates.controller_options(authority, build_dir(status.environment))
        trust = ssl.create_default_context()  # certificates of one's own may be public ones
        trust.load_verify_locations(self._tls["tlsCAFile"])
        # No proxy leads to the hosts.
        self._web = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        data = yaml.safe_load(_DATABASE.read_text())
        self._database = data["cluster_database"]
        self._collections = [entry["collection"] for entry in data["cluster_sharded_collections"]]
        self.indexes: dict[str, dict[str, dict[str, bool]]] = {}

    def questions(self) -> list[Callable[[], Row]]:
        """One per process, in the order of the table."""
        members = self._hosts.groups
        shards = sorted((group for group in members if group.startswith("shard")), key=lambda name: int(name[5:]))
        asks: list[Callable[[], Row]] = []
        for group in ("config", *shards):
            asks += [partial(self._member, host, group) for host in members[group]]
        asks += [partial(self._router, host) for host in members["mongos"]]
        for host in members["web"]:
            asks.append(partial(self._app, host, "user app", USER_APP_PORT))
            asks.append(partial(self._app, host, "admin app", ADMIN_APP_PORT))
        return asks

    def _member(self, host: str, group: str) -> Row:
        port = CONFIG_PORT if group == "config" else shard_port(int(group[5:]))
        # The cluster's users are on the config servers; each shard has its own.
        user = "monitor" if group == "config" else "shard-admin"

        def ask(client: Client) -> str:
            state = _own_state(client.admin.command("replSetGetStatus"))
            self._note_expiry(host, port, client.admin.command("serverStatus"))
            if state == "PRIMARY" and group != "config":
                database = client[self._database]
                self._status.documents[group] = {name: database[name].count_documents({}) for name in self._collections}
                self.indexes[group] = {
                    name: {index["name"]: "building" not in index for index in database[name].aggregate([_INDEXES])}
                    for name in self._collections
                }
            return state

        return Row(host, group, port, self._ask(host, port, user, ask))

    def _router(self, host: str) -> Row:
        def ask(client: Client) -> str:
            answer = client.admin.command("serverStatus")
            self._note_expiry(host, MONGOS_PORT, answer)
            self._status.router = {"version": answer["version"], "standin": bool(answer.get("standin"))}
            return "up"

        return Row(host, "mongos", MONGOS_PORT, self._ask(host, MONGOS_PORT, "monitor", ask))

    def _note_expiry(self, host: str, port: int, answer: dict[str, Any]) -> None:
        end = answer.get("security", {}).get("SSLServerCertificateExpirationDate")
        if end:
            self._status.expiries[f"{host}:{port}"] = end.date().isoformat()

    def _ask(self, host: str, port: int, user: str, ask: Callable[[Client], str]) -> str:
        said = ""
        for password in dict.fromkeys(known.get(user.replace("-", "_"), "") for known in self._passwords):
            try:
                with self._client(host, port, username=user, password=password, **self._tls) as client:
                    return ask(client)
            except OperationFailure as error:
                said = str((error.details or {}).get("codeName", error))  # NotYetInitialized ...
                if said != "AuthenticationFailed":
                    break
            except PyMongoError:
                return "without TLS" if self._answers_plainly(host, port) else "no answer"
        return said

    def _answers_plainly(self, host: str, port: int) -> bool:
        """Whether it runs as before the first cluster-up with TLS. Sends no password."""
        try:
            with self._client(host, port) as client:
                return bool(client.admin.command("hello"))
        except PyMongoError:
            return False

    def _client(self, host: str, port: int, **options: Any) -> Client:
        timeout = int(_TIMEOUT_SECONDS * 1000)
        return MongoClient(
            self._hosts.endpoint(host, port),
            directConnection=True,
            serverSelectionTimeoutMS=timeout,
            socketTimeoutMS=timeout,
            **options,
        )

    def _app(self, host: str, role: str, port: int) -> Row:
        try:
            url = f"{_url(self._hosts.addresses[host], port)}readyz"
            # Each app answers to this name, whatever names it has for people.
            request = urllib.request.Request(url, headers={"Host": "localhost"})  # noqa: S310 - always https
            with self._web.open(request, timeout=_TIMEOUT_SECONDS):
                state = "ready"
        except urllib.error.HTTPError as error:
            state = f"not ready ({error.code})"
        except OSError:
            state = "no answer"
        return Row(host, role, port, state)


def render(status: Status, *, phases: bool = False) -> str:
    """The summary that people see; `phases` adds the durations of the last cluster-up's phases."""
    lines = [f"{name:<10} {url}" for name, url in status.urls.items()]
    lines += [f"passwords  {status.passwords} (the admin app's first log-in: admin, app_admin_login)"]
    lines += [f"browsers   can trust {status.authority}"]
    if status.router is not None:
        kind = "STAND-IN, not MongoDB's mongos" if status.router["standin"] else "MongoDB's mongos"
        lines.append(f"router     {kind}, {status.router['version']}")
    if status.expiries:
        place, end = min(status.expiries.items(), key=lambda item: item[1])
        lines.append(f"TLS        certificates until {end} (the first to end: {place})")
    rows = [[row.host, row.role, str(row.port), row.state] for row in status.processes]
    lines += ["", *table(["host", "role", "port", "state"], rows)]
    lines += ["", *status.backups, *(f"BACKUPS: {problem}" for problem in status.backup_problems)]
    lines += [f"INDEXES: {problem}" for problem in status.index_problems]
    lines += [f"indexes    {build}" for build in status.index_builds]
    if status.documents:
        shards = sorted(status.documents, key=lambda name: int(name[5:]))
        rows = []
        for collection in status.documents[shards[0]]:
            counts = [status.documents[shard].get(collection, 0) for shard in shards]
            total = sum(counts)
            rows.append([collection, *(f"{n} ({n / total:.1%})" if total else "0" for n in counts)])
        lines += ["", *table(["documents", *shards], rows)]
    if phases and status.phases:
        rows = [[name, f"{seconds:.1f}"] for name, seconds in status.phases.items()]
        lines += ["", *table(["phase of the last cluster-up", "seconds"], rows)]
    return "\n".join(lines)


def as_json(status: Status) -> str:
    return json.dumps(asdict(status) | {"healthy": status.healthy}, indent=2)


def _own_state(answer: dict[str, Any]) -> str:
    return next(str(member["stateStr"]) for member in answer["members"] if member.get("self"))


def _url(address: str, port: int) -> str:
    return f"https://{address}/" if port == 443 else f"https://{address}:{port}/"
