"""The table of commands: what runs each, the privileges it needs, the options it takes.

Commands that aren't here can't be run, and none can be added without its privileges. Options are listed because
servers trust the router, their internal user: a client's internal options must not reach them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from standin import change_streams, ddl, explain, reads, sharding, status, users, writes
from standin import requirements as needs
from standin.errors import CommandError, Reply
from standin.operation import Operation
from standin.privileges import Need
from standin.request import Request
from standin.requirements import Access, Requirement

Handler = Callable[[Operation], Awaitable[Reply]]


@dataclass(frozen=True)
class Command:
    """`options` are the fields allowed after the command's name; None allows any, if none is passed on."""

    handler: Handler
    requirement: Access | Requirement
    options: frozenset[str] | None
    required: frozenset[str]
    in_transaction: bool = False


def _command(
    handler: Handler,
    requirement: Access | Requirement,
    options: str | None = "",
    *,
    in_transaction: bool = False,
) -> Command:
    """`options` are separated by blanks; required ones end with an exclamation mark."""
    if options is None:
        return Command(handler, requirement, None, frozenset(), in_transaction)
    names = options.split()
    required = frozenset(name[:-1] for name in names if name.endswith("!"))
    return Command(handler, requirement, frozenset(name.rstrip("!") for name in names), required, in_transaction)


async def _get_more(operation: Operation) -> Reply:
    return await operation.router.cursors.get_more(operation)


async def _kill_cursors(operation: Operation) -> Reply:
    return await operation.router.cursors.kill(operation)


async def _aggregate(operation: Operation) -> Reply:
    if needs.watches(operation):
        return await change_streams.change_stream(operation)
    return await reads.aggregate(operation)


async def _commit(operation: Operation) -> Reply:
    return await operation.router.transactions.commit(operation)


async def _abort(operation: Operation) -> Reply:
    return await operation.router.transactions.abort(operation)


async def _by_session(_operation: Operation) -> Reply:
    """A stand-in for commands about the connection, which the session runs itself."""
    raise AssertionError("unreachable")


_FIND = "filter sort projection hint skip limit batchSize singleBatch"
_USER = "pwd roles"
_ROLE = "privileges roles authenticationRestrictions"

_READ = needs.on_collection("find")
_SHARD = needs.on_namespace("enableSharding")

COMMANDS: dict[str, Command] = {
    # The connection
    "hello": _command(_by_session, Access.BEFORE_LOGIN, None),
    "ismaster": _command(_by_session, Access.BEFORE_LOGIN, None),
    "saslStart": _command(_by_session, Access.BEFORE_LOGIN, None),
    "saslContinue": _command(_by_session, Access.BEFORE_LOGIN, None),
    "connectionStatus": _command(_by_session, Access.BEFORE_LOGIN, None),
    "ping": _command(status.ping, Access.BEFORE_LOGIN, None),
    "buildInfo": _command(status.build_info, Access.BEFORE_LOGIN, None),
    "buildinfo": _command(status.build_info, Access.BEFORE_LOGIN, None),
    "replSetGetStatus": _command(status.replica_set_status, Access.ANY_USER, None),
    "endSessions": _command(status.end_sessions, Access.ANY_USER),
    # Documents
    "find": _command(reads.find, _READ, _FIND, in_transaction=True),
    "count": _command(reads.count, _READ, "query"),
    "aggregate": _command(_aggregate, needs.aggregate, "pipeline! cursor allowDiskUse hint", in_transaction=True),
    "insert": _command(writes.write, needs.on_collection("insert"), "documents! ordered", in_transaction=True),
    "update": _command(writes.write, needs.update, "updates! ordered", in_transaction=True),
    "delete": _command(writes.write, needs.on_collection("remove"), "deletes! ordered", in_transaction=True),
    "findAndModify": _command(
        writes.find_and_modify, needs.find_and_modify, "query sort remove update new fields upsert", in_transaction=True
    ),
    # The owner of a cursor or transaction is checked where it is kept.
    "getMore": _command(_get_more, Access.ANY_USER, "collection! batchSize", in_transaction=True),
    "killCursors": _command(_kill_cursors, Access.ANY_USER, "cursors!", in_transaction=True),
    "commitTransaction": _command(_commit, Access.ANY_USER, "recoveryToken"),
    "abortTransaction": _command(_abort, Access.ANY_USER, "recoveryToken"),
    # Collections and indexes
    "create": _command(ddl.create, needs.on_collection("createCollection")),
    "drop": _command(ddl.drop, needs.on_collection("dropCollection")),
    "dropDatabase": _command(ddl.drop_database, needs.on_database("dropDatabase")),
    "collMod": _command(ddl.coll_mod, needs.on_collection("collMod"), "validator validationLevel validationAction"),
    "createIndexes": _command(ddl.create_indexes, needs.on_collection("createIndex"), "indexes! commitQuorum"),
    "dropIndexes": _command(ddl.drop_indexes, needs.on_collection("dropIndex"), "index!"),
    "renameCollection": _command(ddl.rename_collection, needs.rename_collection, "to! dropTarget"),
    "listIndexes": _command(ddl.list_indexes, needs.on_collection("listIndexes"), "cursor"),
    # listCollections and listDatabases leave out what the user may not see.
    "listCollections": _command(ddl.list_collections, Access.ANY_USER, "filter nameOnly authorizedCollections cursor"),
    "listDatabases": _command(ddl.list_databases, Access.ANY_USER, "filter nameOnly authorizedDatabases"),
    "dbStats": _command(ddl.database_statistics, needs.on_database("dbStats"), "scale"),
    # Sharding
    "addShard": _command(sharding.add_shard, needs.on_cluster("addShard"), "name"),
    "listShards": _command(sharding.list_shards, needs.on_cluster("listShards")),
    "getShardMap": _command(sharding.get_shard_map, needs.on_cluster("getShardMap")),
    "enableSharding": _command(sharding.enable_sharding, _SHARD),
    "shardCollection": _command(sharding.shard_collection, _SHARD, "key! unique"),
    "moveChunk": _command(sharding.move_chunk, needs.on_namespace("moveChunk"), "bounds! to! _waitForDelete"),
    "balancerStart": _command(sharding.balancer_start, needs.balancer_control),
    "balancerStop": _command(sharding.balancer_stop, needs.balancer_control),
    "balancerStatus": _command(sharding.balancer_status, needs.balancer_state),
    # Users and roles
    "createUser": _command(users.change, needs.create_user, _USER),
    "updateUser": _command(users.change, needs.update_user, _USER),
    "dropUser": _command(users.change, needs.on_database("dropUser")),
    "usersInfo": _command(users.look_up, needs.users_info),
    "createRole": _command(users.change, needs.create_role, _ROLE),
    "updateRole": _command(users.change, needs.update_role, _ROLE),
    "dropRole": _command(users.change, needs.on_database("dropRole")),
    "rolesInfo": _command(
        users.look_up, needs.roles_info, "showPrivileges showBuiltinRoles showAuthenticationRestrictions"
    ),
    # The server
    "serverStatus": _command(status.server_status, needs.on_cluster("serverStatus"), None),
    "getParameter": _command(
        status.get_parameter, needs.on_cluster("getParameter"), "featureCompatibilityVersion tlsMode"
    ),
    "getCmdLineOpts": _command(status.command_line_options, needs.on_cluster("getCmdLineOpts"), None),
    "setParameter": _command(status.set_parameter, needs.on_cluster("setParameter"), "tlsMode!"),
    "rotateCertificates": _command(status.rotate_certificates, needs.on_cluster("rotateCertificates"), "message"),
    "getLog": _command(status.get_log, needs.on_cluster("getLog"), None),
}


def _explain_needs(request: Request) -> list[Need]:
    """Explaining a command needs the same privileges as running it."""
    inner = dict(request.target.items())
    name = next(iter(inner), "")
    if name not in EXPLAINABLE:
        raise CommandError(59, "CommandNotFound", f"Explain failed due to unknown command: {name}")
    requirement = COMMANDS[name].requirement
    assert not isinstance(requirement, Access)  # noqa: S101 - none of EXPLAINABLE is open
    check_options(name, COMMANDS[name], inner)
    return list(requirement(Request(request.clock, request.user, {**inner, "$db": request.database})))


EXPLAINABLE = frozenset({"find", "aggregate"})
COMMANDS["explain"] = _command(explain.explain, _explain_needs, "verbosity")


def check_options(name: str, command: Command, arguments: dict[str, object]) -> None:
    """Raises CommandError for an unknown or a missing option, worded like the servers' own."""
    if command.options is None:
        return
    for option in arguments:
        if option != name and option not in command.options:
            raise CommandError(40415, "Location40415", f"BSON field '{name}.{option}' is an unknown field.")
    for option in command.required:
        if option not in arguments:
            raise CommandError(40414, "Location40414", f"BSON field '{name}.{option}' is missing but a required field")
