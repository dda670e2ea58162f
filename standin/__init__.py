"""A stand-in for mongos, for tests and for local clusters on machines that cannot get MongoDB's own.

It routes commands from drivers to real config servers and real shards (MongoDB 6.0) by MongoDB's own chunk
table. The real servers do everything that matters: storage, replication, adding shards, splitting, balancing,
migrating, committing transactions across shards, checking passwords. This package finds the shard to ask,
merges answers, and enforces privileges (which a shard can't: the router is its trusted internal user).

It is not MongoDB's router and says so in its log, in `--version` and in `serverStatus.standin`. It knows the
commands that the roles, the apps, mongosh's `sh.status()` and the failover drills use; anything else is a
clear CommandNotFound.

Imports: the standard library, `bson` (from pymongo) and `yaml`; Python 3.10 or newer.
"""

VERSION = "0.1.0"

# The MongoDB version whose wire protocol and internal commands this was written against.
MONGODB_VERSION = "6.0.5"
WIRE_VERSION = 17
