"""Default deny: every command of the table, without login and as the user app's user."""

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

# The database and a well-formed example of every command; on `movies`, which the app's user may read but not write.
EXAMPLES: dict[str, tuple[str, Document]] = {
    "hello": ("admin", {"hello": 1}),
    "ismaster": ("admin", {"ismaster": 1}),
    "saslStart": ("admin", {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": b"n,,n=x,r=x"}),
    "saslContinue": ("admin", {"saslContinue": 1, "conversationId": 1, "payload": b"x"}),
    "connectionStatus": ("admin", {"connectionStatus": 1}),
    "ping": ("admin", {"ping": 1}),
    "buildInfo": ("admin", {"buildInfo": 1}),
    "buildinfo": ("admin", {"buildinfo": 1}),
    "replSetGetStatus": ("admin", {"replSetGetStatus": 1}),
    "endSessions": ("admin", {"endSessions": []}),
    "find": (LIBRARY, {"find": "movies"}),
    "count": (LIBRARY, {"count": "movies"}),
    "aggregate": (LIBRARY, {"aggregate": "movies", "pipeline": [], "cursor": {}}),
    "explain": (LIBRARY, {"explain": {"find": "movies"}}),
    "insert": (LIBRARY, {"insert": "movies", "documents": [{}]}),
    "update": (LIBRARY, {"update": "movies", "updates": [{"q": {}, "u": {"$set": {"x": 1}}, "multi": True}]}),
    "delete": (LIBRARY, {"delete": "movies", "deletes": [{"q": {}, "limit": 0}]}),
    "findAndModify": (LIBRARY, {"findAndModify": "movies", "query": {"title_hash": 1}, "remove": True}),
    "getMore": (LIBRARY, {"getMore": Int64(1), "collection": "movies"}),
    "killCursors": (LIBRARY, {"killCursors": "movies", "cursors": [Int64(1)]}),
    "commitTransaction": ("admin", {"commitTransaction": 1}),
    "abortTransaction": ("admin", {"abortTransaction": 1}),
    "create": (LIBRARY, {"create": "new"}),
    "drop": (LIBRARY, {"drop": "movies"}),
    "dropDatabase": (LIBRARY, {"dropDatabase": 1}),
    "collMod": (LIBRARY, {"collMod": "movies", "validationLevel": "off"}),
    "createIndexes": (LIBRARY, {"createIndexes": "movies", "indexes": [{"key": {"x": 1}, "name": "x"}]}),
    "dropIndexes": (LIBRARY, {"dropIndexes": "movies", "index": "*"}),
    "renameCollection": ("admin", {"renameCollection": f"{LIBRARY}.movies", "to": f"{LIBRARY}.other"}),
    "listIndexes": (LIBRARY, {"listIndexes": "movies"}),
    "listCollections": (LIBRARY, {"listCollections": 1}),
    "listDatabases": ("admin", {"listDatabases": 1}),
    "dbStats": (LIBRARY, {"dbStats": 1}),
    "addShard": ("admin", {"addShard": "evil/localhost:1"}),
    "listShards": ("admin", {"listShards": 1}),
    "getShardMap": ("admin", {"getShardMap": 1}),
    "enableSharding": ("admin", {"enableSharding": "other"}),
    "shardCollection": ("admin", {"shardCollection": f"{LIBRARY}.new", "key": {"x": "hashed"}}),
    "moveChunk": ("admin", {"moveChunk": f"{LIBRARY}.movies", "bounds": [{}, {}], "to": "shard1"}),
    "balancerStart": ("admin", {"balancerStart": 1}),
    "balancerStop": ("admin", {"balancerStop": 1}),
    "balancerStatus": ("admin", {"balancerStatus": 1}),
    "createUser": ("admin", {"createUser": "evil", "pwd": "evil", "roles": ["root"]}),
    "updateUser": ("admin", {"updateUser": APP_USER, "roles": ["root"]}),
    "dropUser": ("admin", {"dropUser": "monitor"}),
    "usersInfo": ("admin", {"usersInfo": 1}),
    "createRole": ("admin", {"createRole": "evil", "roles": ["root"], "privileges": []}),
    "updateRole": ("admin", {"updateRole": "filmLibraryUser", "roles": ["root"]}),
    "dropRole": ("admin", {"dropRole": "filmLibraryUser"}),
    "rolesInfo": ("admin", {"rolesInfo": 1}),
    "serverStatus": ("admin", {"serverStatus": 1}),
    "getParameter": ("admin", {"getParameter": 1, "featureCompatibilityVersion": 1}),
    "setParameter": ("admin", {"setParameter": 1, "tlsMode": "disabled"}),
    "rotateCertificates": ("admin", {"rotateCertificates": 1}),
    "getCmdLineOpts": ("admin", {"getCmdLineOpts": 1}),
    "getLog": ("admin", {"getLog": "global"}),
}

BEFORE_LOGIN = {
    "hello",
    "ismaster",
    "saslStart",
    "saslContinue",
    "connectionStatus",
    "ping",
    "buildInfo",
    "buildinfo",
}
ANY_USER = {
    "replSetGetStatus",
    "endSessions",
    "getMore",
    "killCursors",
    "commitTransaction",
    "abortTransaction",
    "listDatabases",
}
READS_MOVIES = {"find", "count", "aggregate", "explain"}


def refused(client: Client, name: str) -> bool:
    """Whether the router says Unauthorized; with any other answer the command got past it."""
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
        # A new client each time: a login attempt changes what its connection may do.
        with small_cluster.client(APP_USER) as client:
            if not refused(client, name):
                allowed.add(name)
    # listCollections is allowed only with nameOnly and authorizedCollections; see below.
    assert allowed == BEFORE_LOGIN | ANY_USER | READS_MOVIES


def test_no_command_without_a_requirement() -> None:
    """Commands are looked up in the table only; each requirement is an Access or a function."""
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
        router[LIBRARY]["movies"].aggregate([{"$_internalInhibitOptimization": {}}])


FORBIDDEN: list[list[Document]] = [
    [{"$lookup": {"from": "secret", "pipeline": [], "as": "x"}}],
    [{"$graphLookup": {"from": "secret", "as": "x"}}],
    [{"$unionWith": "secret"}],
    [{"$facet": {"a": [{"$lookup": {"from": "secret", "as": "x"}}]}}],
    [{"$out": "stolen"}],
    [{"$merge": {"into": {"db": "admin", "coll": "system.users"}}}],
    [{"$collStats": {"count": {}}}],
    [{"$match": {}}, {"$collStats": {"count": {}}}],
    [{"$indexStats": {}}],
    [{"$_internalInhibitOptimization": {}}],
    [{"$match": {}, "$lookup": {"from": "secret", "as": "x"}}],
]


def test_a_pipeline_reaches_no_other_collection(small_cluster: LocalCluster) -> None:
    """The router refuses them: not allowed, or not a stage that it passes on."""
    with small_cluster.client(APP_USER) as client:
        for pipeline in FORBIDDEN:
            with pytest.raises(OperationFailure) as caught:
                client[LIBRARY]["movies"].aggregate(pipeline)
            assert caught.value.code in (UNAUTHORIZED, 40323, 40324), pipeline


def test_a_custom_roles_privileges(small_cluster: LocalCluster, router: Client) -> None:
    """They alone count, and revoking them takes effect at once."""
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
        with pytest.raises(OperationFailure, match="unknown field"):
            taker["custom"].command(unchecked)
        names = {"nameOnly": True, "authorizedCollections": True}
        listed = taker["custom"].command("listCollections", **names)["cursor"]["firstBatch"]
        assert [entry["name"] for entry in listed] == ["notes"]
        assert taker.list_database_names() == ["custom"]
        assert taker.admin.command("usersInfo", "taker")["users"][0]["user"] == "taker"
        with pytest.raises(OperationFailure, match="needs viewUser"):
            taker.admin.command("usersInfo", "monitor")
        router.admin.command("updateUser", "taker", roles=[])
        with pytest.raises(OperationFailure, match="not authorized"):
            taker["custom"]["notes"].find_one()
        router.admin.command("dropUser", "taker")
        with pytest.raises(OperationFailure, match="removed"):
            taker["custom"]["notes"].find_one()
    router.admin.command("dropRole", "noteTaker")
    router.drop_database("custom")


def test_no_views(router: Client) -> None:
    """A view's readers would see what its creator may read."""
    with pytest.raises(OperationFailure, match="unknown field"):
        router[LIBRARY].command({"create": "peek", "viewOn": "movies", "pipeline": []})


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
