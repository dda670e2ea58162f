"""Default-deny: every command of the table, with nobody logged in and as an app's least-privileged user."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Int64
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from ops.local_cluster import LocalCluster
from standin.commands import COMMANDS
from standin.requirements import Access

UNAUTHORIZED = 13
LIBRARY = "movie_library"
APP_USER = "film-library-user"

Document = dict[str, Any]
Client = MongoClient[Document]

# A well-formed instance of every command and its database; on `movies`, which the app's user may read but not write.
SECRET = "admin"
EXAMPLES: dict[str, tuple[str, Document]] = {
    "hello": (SECRET, {"hello": 1}),
    "isMaster": (SECRET, {"isMaster": 1}),
    "ismaster": (SECRET, {"ismaster": 1}),
    "saslStart": (SECRET, {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": b"n,,n=x,r=x"}),
    "saslContinue": (SECRET, {"saslContinue": 1, "conversationId": 1, "payload": b"x"}),
    "logout": (SECRET, {"logout": 1}),
    "connectionStatus": (SECRET, {"connectionStatus": 1}),
    "whatsmyip": (SECRET, {"whatsmyip": 1}),
    "ping": (SECRET, {"ping": 1}),
    "buildInfo": (SECRET, {"buildInfo": 1}),
    "buildinfo": (SECRET, {"buildinfo": 1}),
    "isdbgrid": (SECRET, {"isdbgrid": 1}),
    "replSetGetStatus": (SECRET, {"replSetGetStatus": 1}),
    "startSession": (SECRET, {"startSession": 1}),
    "endSessions": (SECRET, {"endSessions": []}),
    "refreshSessions": (SECRET, {"refreshSessions": []}),
    "find": (LIBRARY, {"find": "movies"}),
    "count": (LIBRARY, {"count": "movies"}),
    "distinct": (LIBRARY, {"distinct": "movies", "key": "title"}),
    "aggregate": (LIBRARY, {"aggregate": "movies", "pipeline": [], "cursor": {}}),
    "explain": (LIBRARY, {"explain": {"find": "movies"}}),
    "insert": (LIBRARY, {"insert": "movies", "documents": [{}]}),
    "update": (LIBRARY, {"update": "movies", "updates": [{"q": {}, "u": {"$set": {"x": 1}}, "multi": True}]}),
    "delete": (LIBRARY, {"delete": "movies", "deletes": [{"q": {}, "limit": 0}]}),
    "findAndModify": (LIBRARY, {"findAndModify": "movies", "query": {"title_hash": 1}, "remove": True}),
    "findandmodify": (LIBRARY, {"findandmodify": "movies", "query": {"title_hash": 1}, "remove": True}),
    "getMore": (LIBRARY, {"getMore": Int64(1), "collection": "movies"}),
    "killCursors": (LIBRARY, {"killCursors": "movies", "cursors": [Int64(1)]}),
    "commitTransaction": (SECRET, {"commitTransaction": 1}),
    "abortTransaction": (SECRET, {"abortTransaction": 1}),
    "create": (LIBRARY, {"create": "new"}),
    "drop": (LIBRARY, {"drop": "movies"}),
    "dropDatabase": (LIBRARY, {"dropDatabase": 1}),
    "renameCollection": (SECRET, {"renameCollection": f"{LIBRARY}.movies", "to": f"{LIBRARY}.gone"}),
    "collMod": (LIBRARY, {"collMod": "movies", "validationLevel": "off"}),
    "createIndexes": (LIBRARY, {"createIndexes": "movies", "indexes": [{"key": {"x": 1}, "name": "x"}]}),
    "dropIndexes": (LIBRARY, {"dropIndexes": "movies", "index": "*"}),
    "listIndexes": (LIBRARY, {"listIndexes": "movies"}),
    "listCollections": (LIBRARY, {"listCollections": 1}),
    "listDatabases": (SECRET, {"listDatabases": 1}),
    "dbStats": (LIBRARY, {"dbStats": 1}),
    "dbstats": (LIBRARY, {"dbstats": 1}),
    "collStats": (LIBRARY, {"collStats": "movies"}),
    "collstats": (LIBRARY, {"collstats": "movies"}),
    "addShard": (SECRET, {"addShard": "evil/localhost:1"}),
    "removeShard": (SECRET, {"removeShard": "shard1"}),
    "listShards": (SECRET, {"listShards": 1}),
    "getShardMap": (SECRET, {"getShardMap": 1}),
    "flushRouterConfig": (SECRET, {"flushRouterConfig": 1}),
    "enableSharding": (SECRET, {"enableSharding": "other"}),
    "shardCollection": (SECRET, {"shardCollection": f"{LIBRARY}.new", "key": {"x": "hashed"}}),
    "getShardVersion": (SECRET, {"getShardVersion": f"{LIBRARY}.movies"}),
    "moveChunk": (SECRET, {"moveChunk": f"{LIBRARY}.movies", "find": {"title_hash": 1}, "to": "shard1"}),
    "movePrimary": (SECRET, {"movePrimary": LIBRARY, "to": "shard1"}),
    "split": (SECRET, {"split": f"{LIBRARY}.movies", "middle": {"title_hash": Int64(1)}}),
    "balancerStart": (SECRET, {"balancerStart": 1}),
    "balancerStop": (SECRET, {"balancerStop": 1}),
    "balancerStatus": (SECRET, {"balancerStatus": 1}),
    "balancerCollectionStatus": (SECRET, {"balancerCollectionStatus": f"{LIBRARY}.movies"}),
    "configureCollectionBalancing": (SECRET, {"configureCollectionBalancing": f"{LIBRARY}.movies", "chunkSize": 1}),
    "addShardToZone": (SECRET, {"addShardToZone": "shard1", "zone": "z"}),
    "removeShardFromZone": (SECRET, {"removeShardFromZone": "shard1", "zone": "z"}),
    "updateZoneKeyRange": (SECRET, {"updateZoneKeyRange": f"{LIBRARY}.movies", "min": {}, "max": {}, "zone": "z"}),
    "createUser": (SECRET, {"createUser": "evil", "pwd": "evil", "roles": ["root"]}),
    "updateUser": (SECRET, {"updateUser": APP_USER, "roles": ["root"]}),
    "dropUser": (SECRET, {"dropUser": "monitor"}),
    "grantRolesToUser": (SECRET, {"grantRolesToUser": APP_USER, "roles": ["root"]}),
    "revokeRolesFromUser": (SECRET, {"revokeRolesFromUser": "monitor", "roles": ["clusterMonitor"]}),
    "usersInfo": (SECRET, {"usersInfo": 1}),
    "createRole": (SECRET, {"createRole": "evil", "roles": ["root"], "privileges": []}),
    "updateRole": (SECRET, {"updateRole": "filmLibraryUser", "roles": ["root"]}),
    "dropRole": (SECRET, {"dropRole": "filmLibraryUser"}),
    "rolesInfo": (SECRET, {"rolesInfo": 1}),
    "serverStatus": (SECRET, {"serverStatus": 1}),
    "hostInfo": (SECRET, {"hostInfo": 1}),
    "getParameter": (SECRET, {"getParameter": 1, "featureCompatibilityVersion": 1}),
    "getCmdLineOpts": (SECRET, {"getCmdLineOpts": 1}),
    "getLog": (SECRET, {"getLog": "global"}),
}

BEFORE_LOGIN = {
    "hello",
    "isMaster",
    "ismaster",
    "saslStart",
    "saslContinue",
    "logout",
    "connectionStatus",
    "whatsmyip",
    "ping",
    "buildInfo",
    "buildinfo",
    "isdbgrid",
}
ANY_USER = {
    "replSetGetStatus",
    "startSession",
    "endSessions",
    "refreshSessions",
    "getMore",
    "killCursors",
    "commitTransaction",
    "abortTransaction",
    "listDatabases",
}
READS_MOVIES = {"find", "count", "distinct", "aggregate", "explain", "listIndexes"}


def refused(client: Client, name: str) -> bool:
    """Whether the router says Unauthorized; any other answer means that the command got past it."""
    database, command = EXAMPLES[name]
    try:
        client[database].command(command)
    except OperationFailure as error:
        return error.code == UNAUTHORIZED
    return False


def test_every_command_has_an_example() -> None:
    assert set(EXAMPLES) == set(COMMANDS)


def test_without_login(small_cluster: LocalCluster) -> None:
    assert small_cluster.router is not None
    allowed = set()
    for name in COMMANDS:
        client: Client
        with MongoClient("localhost", small_cluster.router.port) as client:
            if not refused(client, name):
                allowed.add(name)
    assert allowed == BEFORE_LOGIN


def test_as_the_apps_user(small_cluster: LocalCluster) -> None:
    allowed = set()
    for name in COMMANDS:
        # A client each: logout, for one, changes what its connection may do.
        with small_cluster.client(APP_USER) as client:
            if not refused(client, name):
                allowed.add(name)
    # listCollections is refused here; with nameOnly and authorizedCollections it isn't: see below.
    assert allowed == BEFORE_LOGIN | ANY_USER | READS_MOVIES


def test_no_command_without_a_requirement() -> None:
    """The dispatcher looks a command up in the table only; a requirement is an Access or a function."""
    for name, command in COMMANDS.items():
        assert isinstance(command.requirement, Access) or callable(command.requirement), name


def test_an_unknown_command(router: Client) -> None:
    with pytest.raises(OperationFailure, match="no such command") as caught:
        router.admin.command("shutdown")
    assert caught.value.code == 59


def test_internal_options_do_not_reach_the_servers(router: Client) -> None:
    with pytest.raises(OperationFailure, match="unknown field"):
        router[LIBRARY].command("find", "movies", needsMerge=True)
    with pytest.raises(OperationFailure, match="Unrecognized pipeline stage"):
        router[LIBRARY]["movies"].aggregate([{"$facet": {"a": [{"$_internalInhibitOptimization": {}}]}}])


SECRETS = [
    pytest.param([{"$lookup": {"from": "secret", "pipeline": [], "as": "x"}}], id="lookup"),
    pytest.param([{"$graphLookup": {"from": "secret", "as": "x"}}], id="graphLookup"),
    pytest.param([{"$unionWith": "secret"}], id="unionWith"),
    pytest.param([{"$unionWith": {"coll": "movies", "pipeline": [{"$unionWith": "secret"}]}}], id="union in union"),
    pytest.param([{"$facet": {"a": [{"$lookup": {"from": "secret", "as": "x"}}]}}], id="lookup in facet"),
    pytest.param(
        [{"$lookup": {"from": "movies", "as": "x", "pipeline": [{"$unionWith": "secret"}]}}], id="union in lookup"
    ),
    pytest.param([{"$lookup": {"from": {"db": "config", "coll": "cache.x"}, "as": "x"}}], id="another database"),
    pytest.param([{"$out": "stolen"}], id="out"),
    pytest.param([{"$merge": "credits"}], id="merge"),
    pytest.param([{"$merge": {"into": {"db": "admin", "coll": "system.users"}}}], id="merge into another database"),
    pytest.param([{"$collStats": {"count": {}}}], id="collStats"),
    pytest.param([{"$indexStats": {}}], id="indexStats"),
]


@pytest.mark.parametrize("pipeline", SECRETS)
def test_namespaces_of_a_pipeline(small_cluster: LocalCluster, pipeline: list[Document]) -> None:
    with small_cluster.client(APP_USER) as client, pytest.raises(OperationFailure) as caught:
        client[LIBRARY]["movies"].aggregate(pipeline)
    # Refused by the router: either not allowed, or (another database) not even understood.
    assert caught.value.code in (UNAUTHORIZED, 9)


def test_upsert_needs_insert_and_names_need_privileges(small_cluster: LocalCluster, router: Client) -> None:
    """A custom role's privileges are what counts, and taking them away works at once."""
    privilege = {"resource": {"db": "custom", "collection": "notes"}, "actions": ["find", "update"]}
    router.admin.command("createRole", "noteTaker", privileges=[privilege], roles=[])
    router.admin.command("createUser", "taker", pwd="taker", roles=["noteTaker"])
    router["custom"].create_collection("notes")
    router["custom"].create_collection("hidden")
    assert small_cluster.router is not None
    port = small_cluster.router.port
    taker: Client
    with MongoClient("localhost", port, username="taker", password="taker") as taker:
        taker["custom"]["notes"].update_one({"_id": 1}, {"$set": {"x": 1}})
        with pytest.raises(OperationFailure, match="needs insert on"):
            taker["custom"]["notes"].update_one({"_id": 1}, {"$set": {"x": 1}}, upsert=True)
        unchecked = {"update": "notes", "updates": [{"q": {}, "u": {}}], "bypassDocumentValidation": True}
        with pytest.raises(OperationFailure, match="bypassDocumentValidation"):
            taker["custom"].command(unchecked)
        names = {"nameOnly": True, "authorizedCollections": True}
        listed = taker["custom"].command("listCollections", **names)["cursor"]["firstBatch"]
        assert [entry["name"] for entry in listed] == ["notes"]
        assert taker.list_database_names() == ["custom"]
        assert taker.admin.command("usersInfo", "taker")["users"][0]["user"] == "taker"
        with pytest.raises(OperationFailure, match="needs viewUser"):
            taker.admin.command("usersInfo", "monitor")
        router.admin.command("revokeRolesFromUser", "taker", roles=["noteTaker"])
        with pytest.raises(OperationFailure, match="not authorized"):
            taker["custom"]["notes"].find_one()
        router.admin.command("dropUser", "taker")
        with pytest.raises(OperationFailure, match="removed"):
            taker["custom"]["notes"].find_one()
    router.admin.command("dropRole", "noteTaker")
    router.drop_database("custom")


def test_a_view_shows_only_what_its_maker_may_read(small_cluster: LocalCluster) -> None:
    with small_cluster.client("film-library-admin") as maker, pytest.raises(OperationFailure) as caught:
        maker[LIBRARY].command({"create": "peek", "viewOn": "movies", "pipeline": [{"$unionWith": "system.views"}]})
    assert caught.value.code == UNAUTHORIZED


def test_cursor_of_another_user(small_cluster: LocalCluster, router: Client) -> None:
    films = router[LIBRARY]["movies"]
    films.insert_many([{"_id": f"cursor-{number}", "title_hash": number} for number in range(50)])
    reply = router[LIBRARY].command("find", "movies", batchSize=2)
    cursor_id = Int64(reply["cursor"]["id"])
    with small_cluster.client(APP_USER) as thief:
        for command in (
            {"getMore": cursor_id, "collection": "movies"},
            {"killCursors": "movies", "cursors": [cursor_id]},
        ):
            with pytest.raises(OperationFailure, match="not created by the authenticated user"):
                thief[LIBRARY].command(command)
    router[LIBRARY].command("killCursors", "movies", cursors=[cursor_id])
    films.delete_many({"_id": {"$regex": "^cursor-"}})
