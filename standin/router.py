"""What all client connections share."""

import asyncio
import collections
import datetime
import logging
import time

from bson import Int64, ObjectId

from standin import MONGODB_VERSION
from standin.catalog import Catalog
from standin.clock import Clock
from standin.cursors import Cursors
from standin.errors import CommandError
from standin.privileges import PrivilegeCache
from standin.replica_set import ReplicaSet
from standin.tls import Tls
from standin.transactions import Transactions

# How often the router updates its entry in config.mongos; sh.status() lists entries of the last 30 s as active.
PING_SECONDS = 10.0

log = logging.getLogger(__name__)


class Router:
    """`name` is host:port, the router's id in config.mongos."""

    def __init__(self, config: ReplicaSet, name: str) -> None:
        self.name = name
        self.catalog = Catalog(config)
        self.cursors = Cursors()
        self.transactions = Transactions(self.catalog)
        self.privileges = PrivilegeCache(self.catalog)
        self.clock = Clock()
        self.process_id = ObjectId()
        self.started = time.time()
        self.connections = 0
        self.connections_created = 0
        self.counters: collections.Counter[str] = collections.Counter()

    @property
    def tls(self) -> Tls:
        return self.catalog.identity.tls

    async def keep_house(self) -> None:
        """Until cancelled: update config.mongos, find new shards, forget old cursors and transactions."""
        while True:
            try:
                await self.catalog.load_shards()
                await self._ping()
            except (CommandError, OSError, EOFError) as error:
                log.warning("config servers: %s", error)
            for replica_set in (self.catalog.config, *self.catalog.shards.values()):
                if replica_set.monitor.cluster_time is not None:
                    self.clock.learn(replica_set.monitor.cluster_time)
            self.cursors.forget_idle()
            self.transactions.forget_old()
            await asyncio.sleep(PING_SECONDS)

    async def _ping(self) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
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
