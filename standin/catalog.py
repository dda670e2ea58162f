"""Shards, databases and chunk tables from the config servers, cached until a shard calls them stale."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bson import Int64, Timestamp

from standin.connection import Identity
from standin.errors import CommandError, check
from standin.replica_set import ReplicaSet
from standin.routing import IGNORED_VERSION, UNSHARDED_VERSION, ChunkTable
from standin.wire import plain

MAJORITY = {"w": "majority", "wtimeout": 60_000}

T = TypeVar("T")


@dataclass(frozen=True)
class Routing:
    """Where a namespace is: its database's entry in config.databases, and its chunk table if it is sharded."""

    database: Mapping[str, Any]
    chunks: ChunkTable | None

    @property
    def primary(self) -> str:
        """The shard that holds the database's unsharded collections."""
        shard: str = self.database["primary"]
        return shard

    @property
    def database_version(self) -> dict[str, Any]:
        return {"databaseVersion": self.database["version"]}

    @property
    def all_shards(self) -> tuple[str, ...]:
        """Every shard that holds documents of this collection."""
        return self.chunks.shards if self.chunks else (self.primary,)

    def shards_of_query(self, query: Mapping[str, Any], at: Timestamp | None = None) -> tuple[str, ...]:
        """The shards that may have matches, or had them at a time in the past."""
        return self.chunks.shards_of_query(query, at)[0] if self.chunks else (self.primary,)

    def version_fields(self, shard_id: str, *, ignored: bool = False) -> dict[str, Any]:
        """The fields of a command to `shard_id` by which the shard refuses it when this routing is stale."""
        if self.chunks is None:
            return {"shardVersion": UNSHARDED_VERSION, **self.database_version}
        return {"shardVersion": IGNORED_VERSION if ignored else self.chunks.version(shard_id)}


class Catalog:
    """`config` is the config servers' replica set; `shards` maps shard ids to theirs."""

    def __init__(self, config: ReplicaSet) -> None:
        self.config = config
        self.shards: dict[str, ReplicaSet] = {}
        self._databases: dict[str, Mapping[str, Any]] = {}
        self._chunk_tables: dict[str, ChunkTable | None] = {}
        self._loading: dict[str, asyncio.Future[Any]] = {}

    @property
    def identity(self) -> Identity:
        return self.config.identity

    def close(self) -> None:
        for replica_set in (self.config, *self.shards.values()):
            replica_set.close()

    async def read_config(
        self, collection: str, filter_: Mapping[str, Any], *, sort: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """All matching documents of a collection in `config`, from one snapshot."""
        command: dict[str, Any] = {
            "find": collection,
            "filter": filter_,
            "batchSize": 100_000,
            "readConcern": {"level": "snapshot"},
        }
        if sort:
            command["sort"] = sort
        reply, host = await self.config.run("config", command)
        cursor = check(reply)["cursor"]
        documents = list(cursor["firstBatch"])
        while cursor["id"]:
            more = {"getMore": Int64(cursor["id"]), "collection": collection}
            cursor = check(dict((await self.config.pool(host).command("config", more)).items()))["cursor"]
            documents += cursor["nextBatch"]
        return [plain(document) for document in documents]

    async def config_command(self, command: Mapping[str, Any], *, majority: bool = True) -> dict[str, Any]:
        """Run one of the config servers' own commands (`_configsvr...`). Raises CommandError."""
        concern = {"writeConcern": MAJORITY} if majority else {}
        reply, _ = await self.config.run("admin", {**command, **concern})
        return check(reply)

    async def load_shards(self) -> dict[str, ReplicaSet]:
        """Read config.shards again; start watching new shards, and stop watching removed ones."""
        found = {shard["_id"]: shard["host"] for shard in await self.read_config("shards", {})}
        for shard_id in set(self.shards) - set(found):
            self.shards.pop(shard_id).close()
        for shard_id in sorted(set(found) - set(self.shards)):
            name, hosts = found[shard_id].split("/")
            self.shards[shard_id] = ReplicaSet(name, hosts.split(","), self.identity, shard_id=shard_id)
            self.shards[shard_id].start()
        return self.shards

    async def shard(self, shard_id: str) -> ReplicaSet:
        if shard_id not in self.shards:
            await self._once("shards", self.load_shards)
        if shard_id not in self.shards:
            raise CommandError(70, "ShardNotFound", f"Shard {shard_id} not found")
        return self.shards[shard_id]

    async def routing(self, namespace: str, *, create: bool = False) -> Routing | None:
        """Where a namespace is. None if its database doesn't exist, which `create` creates."""
        name = namespace.partition(".")[0]
        database = self._databases.get(name)
        if database is None:
            database = await self._once(f"{name} {create}", lambda: self._load_database(name, create=create))
        if database is None:
            return None
        if namespace in self._chunk_tables:
            return Routing(database, self._chunk_tables[namespace])
        return Routing(database, await self._once(namespace, lambda: self._load_chunks(namespace)))

    async def _once(self, key: str, load: Callable[[], Awaitable[T]]) -> T:
        """Run `load`, or wait for the run that another client's command has started."""
        if key not in self._loading:
            task = asyncio.ensure_future(load())
            self._loading[key] = task
            task.add_done_callback(lambda _: self._loading.pop(key, None))
        result: T = await asyncio.shield(self._loading[key])
        return result

    async def _load_database(self, name: str, *, create: bool) -> Mapping[str, Any] | None:
        found = await self.read_config("databases", {"_id": name})
        if not found and create:
            await self.config_command({"_configsvrCreateDatabase": name})
            found = await self.read_config("databases", {"_id": name})
        if not found:
            return None
        self._databases[name] = found[0]
        return found[0]

    async def _load_chunks(self, namespace: str) -> ChunkTable | None:
        collections = await self.read_config("collections", {"_id": namespace})
        table = None
        if collections:
            chunks = await self.read_config("chunks", {"uuid": collections[0]["uuid"]}, sort={"min": 1})
            if not chunks:
                raise CommandError(118, "NamespaceNotSharded", f"{namespace} is being sharded or dropped, try again")
            table = ChunkTable(collections[0], chunks)
        self._chunk_tables[namespace] = table
        return table

    def forget(self, namespace: str) -> None:
        """Read a namespace's routing again when it is next needed."""
        self._databases.pop(namespace.partition(".")[0], None)
        self._chunk_tables.pop(namespace, None)

    def forget_database(self, database: str) -> None:
        self._databases.pop(database, None)
        for namespace in [name for name in self._chunk_tables if name.startswith(f"{database}.")]:
            self._chunk_tables.pop(namespace)
