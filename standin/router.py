"""The state that all client connections share."""

import asyncio
import collections
import logging
import time
from collections.abc import Mapping
from typing import Any

from bson import Int64, ObjectId, Timestamp

from standin import MONGODB_VERSION, status
from standin.catalog import Catalog
from standin.cursors import Cursors
from standin.errors import CommandError
from standin.privileges import PrivilegeCache
from standin.replica_set import ReplicaSet
from standin.transactions import Transactions

# How often a mongos shows in config.mongos that it is alive; sh.status() lists those of the last 30 s as active.
PING_SECONDS = 10.0

log = logging.getLogger(__name__)


class Router:
    """`name` is host:port, by which config.mongos knows the router."""

    def __init__(self, config: ReplicaSet, key: str, name: str) -> None:
        self.name = name
        self.catalog = Catalog(config, key)
        self.cursors = Cursors()
        self.transactions = Transactions()
        self.privileges = PrivilegeCache(self.catalog)
        self.cluster_time: Mapping[str, Any] | None = None
        self.process_id = ObjectId()
        self.started = time.time()
        self.connections = 0
        self.connections_created = 0
        self.counters: collections.Counter[str] = collections.Counter()

    def gossip(self, cluster_time: Mapping[str, Any]) -> None:
        """Learn the cluster's logical time from a server; every command to another server carries it there."""
        if self.cluster_time is None or cluster_time["clusterTime"] > self.cluster_time["clusterTime"]:
            self.cluster_time = cluster_time

    def latest_time(self, concern: Mapping[str, Any]) -> Timestamp:
        """A time to read at on all shards: the newest known, not before the client's afterClusterTime."""
        known = [concern.get("afterClusterTime", Timestamp(0, 1))]
        if self.cluster_time is not None:
            known.append(self.cluster_time["clusterTime"])
        latest: Timestamp = max(known)
        return latest

    async def keep_house(self) -> None:
        """Until cancelled: show in config.mongos, notice new shards, forget what nobody will ask for again."""
        while True:
            try:
                await self.catalog.load_shards()
                await self._ping()
            except (CommandError, OSError, EOFError) as error:
                log.warning("config servers: %s", error)
            for replica_set in (self.catalog.config, *self.catalog.shards.values()):
                if replica_set.monitor.cluster_time is not None:
                    self.gossip(replica_set.monitor.cluster_time)
            self.cursors.forget_idle()
            self.transactions.forget_old()
            await asyncio.sleep(PING_SECONDS)

    async def _ping(self) -> None:
        now = status.now()
        fields = {
            "ping": now,
            "up": Int64(time.time() - self.started),
            "waiting": True,
            "mongoVersion": MONGODB_VERSION,
            "standin": True,
            "advisoryHostFQDNs": [],
        }
        change = {"$set": fields, "$setOnInsert": {"created": now}}
        update = {"q": {"_id": self.name}, "u": change, "upsert": True}
        await self.catalog.config.run("config", {"update": "mongos", "updates": [update]})
