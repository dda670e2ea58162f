"""Monitoring the cluster: asks every process directly, not through the router, as the MongoDB user `monitor`.

The apps' own users lack the rights, and the members that the router can't reach matter most. All processes are asked
concurrently, with a timeout of TIMEOUT_S.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TypeVar

from pymongo import MongoClient, uri_parser
from pymongo import errors as driver

from app.db.backups import is_aside
from app.db.cluster import slow_operations
from app.db.cluster.processes import PRIMARY, RATE_INTERVAL_S, SECONDARY, UP, Answer, Member
from app.db.cluster.slow_operations import SlowOperation
from app.db.core import COLLECTIONS, Row, current_config, now
from app.settings import SettingError, setting

TIMEOUT_S = 2.0
MAX_THREADS = 16
_AUTHENTICATION_FAILED = 18

ROUTER, CONFIG = "router", "config"  # groups other than shards
NO_ANSWER = "no answer"
LOG_IN_REFUSED = "refuses the monitor's log-in"

Client = MongoClient[Row]
Groups = dict[str, list[str]]  # addresses by replica set, and those of the routers
S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """A replica set's part of the library, from one member; bytes. `chunks` is empty without a router."""

    name: str
    member: str
    documents: dict[str, int]
    chunks: dict[str, int]
    data: int
    storage: int
    indexes: int
    disk_used: int | None
    disk_total: int | None


@dataclass(frozen=True)
class Survey:
    """The state of all processes and shards. `problem` says why it may be incomplete."""

    at: datetime
    members: list[Member]
    shards: list[Shard]
    problem: str | None = None

    @property
    def healthy(self) -> bool:
        return self.problem is None and all(member.healthy for member in self.members)


class Monitor:
    """Monitors the cluster behind a MongoDB URI and one of its databases. Keeps a connection to each process.

    Thread-safe.

    Raises:
        SettingError: the URI is malformed.
    """

    def __init__(self, uri: str, database: str) -> None:
        self._database = database
        try:
            parsed = uri_parser.parse_uri(uri)
        except (driver.InvalidURI, driver.ConfigurationError) as error:
            raise SettingError(f"FILM_LIBRARY_MONITOR_URI is not a MongoDB URI: {error}") from error
        self._entries = [f"{host}:{port}" for host, port in parsed["nodelist"]]
        options = {name: value for name, value in parsed["options"].items() if name.lower() != "replicaset"}
        self._options = {**options, "username": parsed["username"], "password": parsed["password"]}
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}
        self._groups: Groups = {}
        self._earlier: dict[str, Answer] = {}  # by address, for rates

    @classmethod
    def from_env(cls) -> "Monitor | None":
        """From FILM_LIBRARY_MONITOR_URI, or None if it isn't set: monitoring is optional.

        For the database of `app.db.core.connection`, which must be connected.
        """
        uri = setting("FILM_LIBRARY_MONITOR_URI", "")
        return cls(uri, current_config().database) if uri else None

    def survey(self, *, rates: bool = True) -> Survey:
        """The state of every process and shard. The first `rates` take RATE_INTERVAL_S to measure."""
        groups, problem = self._find_groups()
        answers, earlier = self._ask_all(groups), self._earlier
        if rates and any(answer.rates(earlier) is None for answer in answers if answer.status):
            earlier = {answer.address: answer for answer in answers}
            time.sleep(RATE_INTERVAL_S)  # a rate needs two readings
            answers = self._ask_all(groups)
        members = [answer.member(answers, earlier) for answer in answers]
        self._earlier = {answer.address: answer for answer in answers}
        chunks = self._chunks([member.address for member in members if member.group == ROUTER and member.healthy])
        holders = [_holder(members, name) for name in groups if name not in (ROUTER, CONFIG)]
        shards = _at_once(lambda holder: self._shard(holder, chunks), [holder for holder in holders if holder])
        return Survey(now(), members, [shard for shard in shards if shard], problem)

    def slow_operations(self, survey: Survey) -> list[SlowOperation]:
        """The members' slowest operations, from the latest lines of their logs; see `slow_operations`."""
        members = [member.address for member in survey.members if member.healthy and member.group != ROUTER]

        def slow(address: str) -> list[SlowOperation]:
            try:
                log = self._client(address).admin.command("getLog", "global")["log"]
            except driver.PyMongoError:  # the survey reports its state
                return []
            return slow_operations.parse(log, address, self._database)

        return slow_operations.worst(chain.from_iterable(_at_once(slow, members)))

    def close(self) -> None:
        """Close all connections; they are reopened when needed."""
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            client.close()

    def _find_groups(self) -> tuple[Groups, str | None]:
        """Addresses by group, and the problem, if any; if nobody answers, the last known addresses."""
        problems = []
        for entry in self._entries:
            try:
                admin = self._client(entry).admin
                hello = admin.command("hello")
                if hello.get("msg") == "isdbgrid":
                    shard_map = admin.command("getShardMap")["map"]
                    sets = {name: text.rpartition("/")[2].split(",") for name, text in sorted(shard_map.items())}
                    self._groups = {ROUTER: self._entries, CONFIG: sets.pop(CONFIG, []), **sets}
                else:
                    self._groups = {hello.get("setName", "mongod"): hello.get("hosts", [entry])}
                return self._groups, None
            except driver.PyMongoError as error:
                problems.append(f"{entry}: {_reason(error)}")
        return self._groups or {ROUTER: self._entries}, "; ".join(problems)

    def _ask_all(self, groups: Groups) -> list[Answer]:
        return _at_once(self._ask, [(name, address) for name, addresses in groups.items() for address in addresses])

    def _ask(self, process: tuple[str, str]) -> Answer:
        group, address = process
        try:
            admin = self._client(address).admin
            status = admin.command("serverStatus")
            if group == ROUTER or "repl" not in status:
                return Answer(group, address, UP, time.monotonic(), status)
            own = next(row for row in admin.command("replSetGetStatus")["members"] if row.get("self"))
            return Answer(group, address, own["stateStr"], time.monotonic(), status, own.get("optimeDate"))
        except driver.PyMongoError as error:
            return Answer(group, address, _reason(error), time.monotonic())

    def _chunks(self, routers: list[str]) -> dict[str, dict[str, int]]:
        """Shard -> collection -> number of chunks, from a router; empty without one."""
        for router in routers:
            try:
                return _count_chunks(self._client(router), self._database)
            except driver.PyMongoError:  # the next router, if there is one
                continue
        return {}

    def _shard(self, holder: Member, chunks: dict[str, dict[str, int]]) -> Shard | None:
        try:
            database = self._client(holder.address)[self._database]
            stats = database.command("dbStats")
            documents = {name: int(database.command("collStats", name)["count"]) for name in COLLECTIONS}
        except driver.PyMongoError:  # it has died since the survey
            return None
        return Shard(
            name=holder.group,
            member=holder.address,
            documents=documents,
            chunks=chunks.get(holder.group, {}),
            data=int(stats["dataSize"]),
            storage=int(stats["storageSize"]),
            indexes=int(stats["indexSize"]),
            disk_used=int(stats["fsUsedSize"]) if "fsUsedSize" in stats else None,
            disk_total=int(stats["fsTotalSize"]) if "fsTotalSize" in stats else None,
        )

    def _client(self, address: str) -> Client:
        """A client of a single process. Created on first use, so that a server can fork before."""
        with self._lock:
            if address not in self._clients:
                self._clients[address] = MongoClient(
                    address,
                    **self._options,
                    appname="film-library-monitor",
                    directConnection=True,
                    # Neither timeoutMS nor streaming: after a refused log-in they wait for the timeout and report
                    # nothing else.
                    serverMonitoringMode="poll",
                    socketTimeoutMS=int(TIMEOUT_S * 1000),
                    retryReads=False,
                    serverSelectionTimeoutMS=int(TIMEOUT_S * 1000),
                    connectTimeoutMS=int(TIMEOUT_S * 1000),
                    tz_aware=True,
                )
            return self._clients[address]


def _reason(error: driver.PyMongoError) -> str:
    """Why a process gives no data, in a few words."""
    if not isinstance(error, driver.OperationFailure):
        return NO_ANSWER
    if error.code == _AUTHENTICATION_FAILED:
        return LOG_IN_REFUSED
    return str((error.details or {}).get("codeName", error))  # NotYetInitialized, Unauthorized ...


def _count_chunks(router: Client, database: str) -> dict[str, dict[str, int]]:
    """Shard -> collection -> number of chunks, for a database; without what restores have left there."""
    collections = {row["uuid"]: row["_id"].partition(".") for row in router["config"]["collections"].find()}
    counted = router["config"]["chunks"].aggregate(
        [{"$group": {"_id": {"uuid": "$uuid", "shard": "$shard"}, "count": {"$sum": 1}}}]
    )
    chunks: dict[str, dict[str, int]] = {}
    for row in counted:
        owner, _, name = collections.get(row["_id"]["uuid"], ("", "", ""))
        if owner == database and not is_aside(name):
            chunks.setdefault(row["_id"]["shard"], {})[name] = row["count"]
    return chunks


def _holder(members: Sequence[Member], group: str) -> Member | None:
    """The member to ask about its set's data: the primary, otherwise another one that has it."""
    suitable = [member for member in members if member.group == group and member.state in (PRIMARY, SECONDARY, UP)]
    return min(suitable, key=lambda member: member.state == SECONDARY, default=None)


def _at_once(ask: Callable[[S], T], whom: Sequence[S]) -> list[T]:
    """Every answer, in the order of the questions."""
    if not whom:
        return []
    with ThreadPoolExecutor(min(len(whom), MAX_THREADS)) as pool:
        return list(pool.map(ask, whom))
