"""A stand-in for mongos, for tests and for local clusters on machines that can't get MongoDB's own. See README.md.

Each module imports only from the layers below its own, which `make lint` checks:

    cli, server, session        the process, its port, one client connection
    commands, authentication    the table of commands; logging in
    ddl, explain, sharding,     what runs a command: on collections, plans, the cluster's layout, the router itself,
    status, users, writes       users and roles, documents; `requirements`: the privileges that each command needs
    reads, targeting, ...       shared by those: asking shards and merging, choosing the shard of a write
    operation                   one command on its way: sent to shards, repeated when the routing was stale
    router                      what all client connections share
    cursors, privileges,        the parts of that: open cursors, users' privileges, open transactions
    transactions
    request                     a client's command, before anything is known about shards
    catalog, routing, clock     shards, databases and chunk tables, as the config servers know them; logical time
    replica_set, monitor, pool  members of one replica set: who is primary, connections, retries
    connection, network, wire   one connection; sockets; MongoDB's wire protocol
    bson_order, hashed_key      order and hashes of BSON values
    errors, config              error codes; the process's settings
    tls                         TLS: modes, contexts, certificates' files

Imports: the standard library, `bson` (from pymongo) and `yaml`; Python 3.10 or newer.
"""

VERSION = "0.1.0"

# The MongoDB version whose wire protocol and internal commands this was written against.
MONGODB_VERSION = "6.0.5"
WIRE_VERSION = 17
