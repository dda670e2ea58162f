"""Administrators of a running library move out of the collection of users, and nobody is logged out."""

from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner

from app.cli import main
from app.cli.session import UNCHANGED
from app.db.accounts import administrators, hash_password, sessions, users
from app.db.core import Row, connection, now
from app.db.schema import json_schema
from ops.local_cluster import LocalCluster

DATABASE = "movie_library"
PASSWORD = "correct horse"
ROLES = {"root": 2, "boss": 1, "ada": 0}
Run = Callable[..., str]


def connect(cluster: LocalCluster, user: str) -> None:
    connection.connect(connection.DatabaseConfig(cluster.uri(user), database=DATABASE))


@pytest.fixture
def earlier(mongodb: LocalCluster) -> Iterator[dict[str, Row]]:
    """The accounts that an earlier release left, by name: all of them users, with its validator and index."""
    accounts = {
        name: {"_id": f"{name}-id", "username": name, "password_hash": hash_password(PASSWORD), "admin_status": role}
        | {"created_at": now()}
        for name, role in ROLES.items()
    }
    schema = json_schema.validator("users")["$jsonSchema"]
    role = {"bsonType": ["int", "long"], "enum": [0, 1, 2]}
    schema["properties"]["admin_status"] = role
    with mongodb.client() as client:
        database = client[DATABASE]
        database.create_collection("users")
        database.command("collMod", "users", validator={"$jsonSchema": schema})
        database.users.create_index([("admin_status", 1), ("_id", 1)])
        database.users.insert_many(accounts.values())
    yield accounts
    connection.disconnect()
    with mongodb.client() as client:
        client.drop_database(DATABASE)


@pytest.fixture
def run(mongodb: LocalCluster) -> Run:
    """Runs a command as the deployment does; returns its last line."""

    def run(*arguments: str) -> str:
        user = "film-library-deploy" if arguments[0] == "init-db" else "film-library-admin"
        env = {"FILM_LIBRARY_MONGODB_URI": mongodb.uri(user), "FILM_LIBRARY_DATABASE": DATABASE}
        result = CliRunner(env=env).invoke(main, list(arguments))
        assert result.exit_code == 0, result.output
        connect(mongodb, "film-library-admin")
        return result.output.rstrip().rpartition("\n")[2]

    return run


def test_administrators_move_while_the_earlier_release_runs(
    mongodb: LocalCluster, earlier: dict[str, Row], run: Run
) -> None:
    connect(mongodb, "film-library-admin")
    with mongodb.client() as client:
        old = client[DATABASE].users
        run("init-db")
        token = sessions.open_session("root-id", "admin", sessions.credential_of(earlier["root"]["password_hash"]))
        for _ in range(2):  # interrupted and repeated
            run("move-admins")
        assert run("move-admins") == UNCHANGED

        # The earlier release still finds them, signs users up, and can't make changes that would be lost.
        assert old.count_documents({"admin_status": {"$gt": 0}}) == 2
        old.insert_one({**earlier["ada"], "_id": "eve-id", "username": "eve"})
        for changed in ({"username": "ada"}, {"username": "boss"}):
            with pytest.raises(connection.driver.WriteError, match="failed validation"):
                old.update_one(changed, {"$set": {"admin_status": 2}})

        assert administrators.authenticate("root", PASSWORD) is not None
        assert sessions.session_user(token, "admin") is not None
        run("move-admins", "--finish")
        assert run("move-admins", "--finish") == UNCHANGED
        assert sorted(row["username"] for row in old.find()) == ["ada", "eve"]
        assert "admin_status_1__id_1" not in old.index_information()
        copies = {row["_id"]: row["password_hash"] for row in client[DATABASE].administrators.find()}
        assert copies == {earlier[name]["_id"]: earlier[name]["password_hash"] for name in ("root", "boss")}
        assert sessions.session_user(token, "admin") is not None
    assert [run(command) for command in ("init-db", "move-admins")] == [UNCHANGED] * 2

    connect(mongodb, "film-library-user")
    assert users.authenticate("root", PASSWORD) is None
    ada = users.authenticate("ada", PASSWORD)
    assert ada is not None
    assert users.exists("ada")


def test_later_nobody_becomes_an_administrator_by_a_document_among_the_users(
    mongodb: LocalCluster, earlier: dict[str, Row], run: Run
) -> None:
    for command in (("init-db",), ("move-admins",), ("move-admins", "--finish")):
        run(*command)
    with mongodb.client() as client:
        forged = {**earlier["root"], "_id": "mallory-id", "username": "mallory"}
        client[DATABASE].command("insert", "users", documents=[forged], bypassDocumentValidation=True)
    assert run("move-admins") == UNCHANGED
    assert run("move-admins", "--finish") == UNCHANGED  # it isn't the original of any administrator
    assert administrators.authenticate("mallory", PASSWORD) is None
