"""The one table of commands: what runs each, what it needs, which options it takes.

A command that isn't here can't be run, and can't be here without saying what it needs. Options are listed
because servers believe the router, their internal user: an internal option of a client's must not reach them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from standin import ddl, explain, reads, sharding, status, users, writes
from standin import requirements as needs
from standin.errors import CommandError, Reply
from standin.operation import Operation
from standin.privileges import Need
from standin.request import Request
from standin.requirements import Access, Requirement

Handler = Callable[[Operation], Awaitable[Reply]]


@dataclass(frozen=True)
class Command:
    """`options` are the fields that may follow the command's name (None: any, for commands that pass none of
    them on).
    """

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
    """`options` separated by blanks, the required ones with an exclamation mark."""
    if options is None:
        return Command(handler, requirement, None, frozenset(), in_transaction)
    names = options.split()
    required = frozenset(name[:-1] for name in names if name.endswith("!"))
    return Command(handler, requirement, frozenset(name.rstrip("!") for name in names), required, in_transaction)


async def _get_more(operation: Operation) -> Reply:
    return await operation.router.cursors.get_more(operation)


async def _kill_cursors(operation: Operation) -> Reply:
    return await operation.router.cursors.kill(operation)


async def _commit(operation: Operation) -> Reply:
    return await operation.router.transactions.commit(operation)


async def _abort(operation: Operation) -> Reply:
    return await operation.router.transactions.abort(operation)


async def _by_session(_operation: Operation) -> Reply:
    """Commands about the connection itself: Session.CONNECTION_COMMANDS runs them."""
    raise AssertionError("unreachable")


_FIND = (
    "filter sort projection hint skip limit batchSize singleBatch min max returnKey showRecordId allowDiskUse "
    "collation let noCursorTimeout"
)
_AGGREGATE = "pipeline! cursor explain allowDiskUse bypassDocumentValidation collation hint let"
_FIND_AND_MODIFY = "query sort remove update new fields upsert bypassDocumentValidation collation arrayFilters hint let"
_CREATE = (
    "capped size max validator validationLevel validationAction viewOn pipeline collation indexOptionDefaults "
    "expireAfterSeconds changeStreamPreAndPostImages storageEngine"
)
_COLL_MOD = (
    "index validator validationLevel validationAction viewOn pipeline expireAfterSeconds changeStreamPreAndPostImages"
)
_CREATE_USER = "pwd customData roles authenticationRestrictions mechanisms digestPassword"
_CREATE_ROLE = "privileges roles authenticationRestrictions"

_READ = needs.on_collection("find")
_SHARD = needs.on_namespace("enableSharding")
_ZONE = needs.on_anything("enableSharding")

COMMANDS: dict[str, Command] = {
    # The connection
    "hello": _command(_by_session, Access.BEFORE_LOGIN, None),
    "isMaster": _command(_by_session, Access.BEFORE_LOGIN, None),
    "ismaster": _command(_by_session, Access.BEFORE_LOGIN, None),
    "saslStart": _command(_by_session, Access.BEFORE_LOGIN, None),
    "saslContinue": _command(_by_session, Access.BEFORE_LOGIN, None),
    "logout": _command(_by_session, Access.BEFORE_LOGIN, None),
    "connectionStatus": _command(_by_session, Access.BEFORE_LOGIN, None),
    "whatsmyip": _command(_by_session, Access.BEFORE_LOGIN, None),
    "ping": _command(status.ping, Access.BEFORE_LOGIN, None),
    "buildInfo": _command(status.build_info, Access.BEFORE_LOGIN, None),
    "buildinfo": _command(status.build_info, Access.BEFORE_LOGIN, None),
    "isdbgrid": _command(status.is_db_grid, Access.BEFORE_LOGIN, None),
    "replSetGetStatus": _command(status.replica_set_status, Access.ANY_USER, None),
    "startSession": _command(status.start_session, Access.ANY_USER, None),
    "endSessions": _command(status.end_sessions, Access.ANY_USER),
    "refreshSessions": _command(status.refresh_sessions, Access.ANY_USER),
    # Documents
    "find": _command(reads.find, _READ, _FIND, in_transaction=True),
    "count": _command(reads.count, _READ, "query limit skip hint collation fields"),
    "distinct": _command(reads.distinct, _READ, "key! query collation", in_transaction=True),
    "aggregate": _command(reads.aggregate, needs.aggregate, _AGGREGATE, in_transaction=True),
    "insert": _command(writes.write, needs.insert, "documents! ordered bypassDocumentValidation", in_transaction=True),
    "update": _command(
        writes.write, needs.update, "updates! ordered bypassDocumentValidation let", in_transaction=True
    ),
    "delete": _command(writes.write, needs.on_collection("remove"), "deletes! ordered let", in_transaction=True),
    "findAndModify": _command(writes.find_and_modify, needs.find_and_modify, _FIND_AND_MODIFY, in_transaction=True),
    "findandmodify": _command(writes.find_and_modify, needs.find_and_modify, _FIND_AND_MODIFY, in_transaction=True),
    # Whose cursor or transaction it is, is checked where it is kept.
    "getMore": _command(_get_more, Access.ANY_USER, "collection! batchSize", in_transaction=True),
    "killCursors": _command(_kill_cursors, Access.ANY_USER, "cursors!", in_transaction=True),
    "commitTransaction": _command(_commit, Access.ANY_USER, "recoveryToken"),
    "abortTransaction": _command(_abort, Access.ANY_USER, "recoveryToken"),
    # Collections and indexes
    "create": _command(ddl.create, needs.create, _CREATE),
    "drop": _command(ddl.drop, needs.on_collection("dropCollection")),
    "dropDatabase": _command(ddl.drop_database, needs.on_database("dropDatabase")),
    "renameCollection": _command(ddl.rename_collection, needs.rename_collection, "to! dropTarget"),
    "collMod": _command(ddl.coll_mod, needs.coll_mod, _COLL_MOD),
    "createIndexes": _command(ddl.create_indexes, needs.on_collection("createIndex"), "indexes! commitQuorum"),
    "dropIndexes": _command(ddl.drop_indexes, needs.on_collection("dropIndex"), "index!"),
    "listIndexes": _command(ddl.list_indexes, needs.on_collection("listIndexes"), "cursor"),
    # listCollections and listDatabases leave out what the user may not see.
    "listCollections": _command(ddl.list_collections, Access.ANY_USER, "filter nameOnly authorizedCollections cursor"),
    "listDatabases": _command(ddl.list_databases, Access.ANY_USER, "filter nameOnly authorizedDatabases"),
    "dbStats": _command(ddl.database_statistics, needs.on_database("dbStats"), "scale freeStorage"),
    "dbstats": _command(ddl.database_statistics, needs.on_database("dbStats"), "scale freeStorage"),
    "collStats": _command(ddl.collection_statistics, needs.on_collection("collStats"), "scale"),
    "collstats": _command(ddl.collection_statistics, needs.on_collection("collStats"), "scale"),
    # Sharding
    "addShard": _command(sharding.add_shard, needs.on_cluster("addShard"), "name maxSize"),
    "removeShard": _command(sharding.remove_shard, needs.on_cluster("removeShard")),
    "listShards": _command(sharding.list_shards, needs.on_cluster("listShards")),
    "getShardMap": _command(sharding.get_shard_map, needs.on_cluster("getShardMap")),
    "flushRouterConfig": _command(sharding.flush_router_config, needs.on_cluster("flushRouterConfig")),
    "enableSharding": _command(sharding.enable_sharding, _SHARD, "primaryShard"),
    "shardCollection": _command(
        sharding.shard_collection, _SHARD, "key! unique numInitialChunks presplitHashedZones collation"
    ),
    "getShardVersion": _command(sharding.get_shard_version, needs.on_namespace("getShardVersion")),
    "moveChunk": _command(
        sharding.move_chunk,
        needs.on_namespace("moveChunk"),
        "find bounds to! _waitForDelete waitForDelete _secondaryThrottle secondaryThrottle forceJumbo",
    ),
    "movePrimary": _command(sharding.move_primary, needs.on_namespace("moveChunk"), "to!"),
    "split": _command(sharding.split, needs.on_namespace("splitChunk"), "middle!"),
    "balancerStart": _command(sharding.balancer_start, needs.balancer_control, ""),
    "balancerStop": _command(sharding.balancer_stop, needs.balancer_control, ""),
    "balancerStatus": _command(sharding.balancer_status, needs.balancer_state),
    "balancerCollectionStatus": _command(sharding.balancer_collection_status, _SHARD),
    "configureCollectionBalancing": _command(
        sharding.configure_collection_balancing, _SHARD, "chunkSize defragmentCollection enableAutoSplitter"
    ),
    "addShardToZone": _command(sharding.add_shard_to_zone, _ZONE, "zone!"),
    "removeShardFromZone": _command(sharding.remove_shard_from_zone, _ZONE, "zone!"),
    "updateZoneKeyRange": _command(sharding.update_zone_key_range, _SHARD, "min! max! zone!"),
    # Users and roles
    "createUser": _command(users.change, needs.create_user, _CREATE_USER),
    "updateUser": _command(users.change, needs.update_user, _CREATE_USER),
    "dropUser": _command(users.change, needs.on_database("dropUser")),
    "grantRolesToUser": _command(users.change, needs.grant_roles_to_user, "roles!"),
    "revokeRolesFromUser": _command(users.change, needs.revoke_roles_from_user, "roles!"),
    "usersInfo": _command(
        users.look_up,
        needs.users_info,
        "showCredentials showCustomData showPrivileges showAuthenticationRestrictions filter",
    ),
    "createRole": _command(users.change, needs.create_role, _CREATE_ROLE),
    "updateRole": _command(users.change, needs.update_role, _CREATE_ROLE),
    "dropRole": _command(users.change, needs.on_database("dropRole")),
    "rolesInfo": _command(
        users.look_up, needs.roles_info, "showPrivileges showBuiltinRoles showAuthenticationRestrictions"
    ),
    # The server
    "serverStatus": _command(status.server_status, needs.on_cluster("serverStatus"), None),
    "hostInfo": _command(status.ask_config_servers, needs.on_cluster("hostInfo")),
    "getParameter": _command(
        status.ask_config_servers, needs.on_cluster("getParameter"), "featureCompatibilityVersion"
    ),
    "getCmdLineOpts": _command(status.command_line_options, needs.on_cluster("getCmdLineOpts"), None),
    "getLog": _command(status.get_log, needs.on_cluster("getLog"), None),
}


def _explain_needs(request: Request) -> list[Need]:
    """Whoever may run a command may have it explained."""
    inner = dict(request.target.items())
    name = next(iter(inner), "")
    if name not in EXPLAINABLE:
        raise CommandError(59, "CommandNotFound", f"Explain failed due to unknown command: {name}")
    requirement = COMMANDS[name].requirement
    assert not isinstance(requirement, Access)  # noqa: S101 - none of EXPLAINABLE is open
    check_options(name, COMMANDS[name], inner)
    return list(requirement(Request(request.clock, request.user, {**inner, "$db": request.database})))


EXPLAINABLE = frozenset({"find", "count", "distinct", "aggregate", "update", "delete", "findAndModify"})
COMMANDS["explain"] = _command(explain.explain, _explain_needs, "verbosity")


def check_options(name: str, command: Command, arguments: dict[str, object]) -> None:
    """Raises CommandError for an unknown or a missing option, in the servers' words."""
    if command.options is None:
        return
    for option in arguments:
        if option != name and option not in command.options:
            raise CommandError(40415, "Location40415", f"BSON field '{name}.{option}' is an unknown field.")
    for option in command.required:
        if option not in arguments:
            raise CommandError(40414, "Location40414", f"BSON field '{name}.{option}' is missing but a required field")
