"""Users' privileges: how they are read, and how they match what a command needs.

https://www.mongodb.com/docs/manual/reference/resource-document/
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from standin.catalog import Catalog
from standin.errors import USER_NOT_FOUND, CommandError, check
from standin.request import User
from standin.wire import plain

# How long a privilege that was revoked through another router still counts here (mongos: 30 s).
REFRESH_SECONDS = 5.0
FORGET_SECONDS = 600.0

# The database of the servers' internal user, who may do everything.
SYSTEM_DATABASE = "local"

log = logging.getLogger(__name__)


class Need(NamedTuple):
    """An action on a resource: on the cluster, on a database (`collection` empty) or on one collection."""

    action: str
    database: str = ""
    collection: str = ""
    cluster: bool = False


class Privileges:
    """One user's privileges. `documents` are usersInfo's inheritedPrivileges; None means everything."""

    def __init__(self, documents: Iterable[Mapping[str, Any]] | None, roles: Iterable[Mapping[str, Any]]) -> None:
        self.documents = None if documents is None else list(documents)
        self.roles = list(roles)
        self._known: dict[Need, bool] = {}

    def allow(self, need: Need) -> bool:
        if need not in self._known:
            self._known[need] = self._allow(need)
        return self._known[need]

    def _allow(self, need: Need) -> bool:
        if self.documents is None:
            return True
        return any(
            (need.action in document["actions"] or "anyAction" in document["actions"])
            and _covers(document["resource"], need)
            for document in self.documents
        )

    def touch_collection(self, database: str, collection: str) -> bool:
        """Whether there is any privilege on the collection."""
        if self.documents is None:
            return True
        need = Need("", database, collection)
        return any(document["actions"] and _covers(document["resource"], need) for document in self.documents)

    def touch_database(self, database: str) -> bool:
        """Whether there is any privilege on the database or in it."""
        if self.documents is None:
            return True
        return any(document["actions"] and _reaches(document["resource"], database) for document in self.documents)


def _reaches(resource: Mapping[str, Any], database: str) -> bool:
    if resource.get("anyResource"):
        return True
    if "db" not in resource:
        return False
    return resource["db"] == database or (resource["db"] == "" and database not in ("local", "config"))


def _covers(resource: Mapping[str, Any], need: Need) -> bool:
    if resource.get("anyResource"):
        return True
    if need.cluster:
        return bool(resource.get("cluster"))
    if "db" not in resource:
        return False
    if resource["db"] not in ("", need.database):
        return False
    if resource["collection"] == need.collection:
        exact = resource["db"] == need.database or bool(need.collection)
        return exact or need.database not in ("local", "config")
    # "All collections" leaves out system collections, and "of all databases" also those of local and config.
    everything = resource["collection"] == "" and not need.collection.startswith("system.")
    return everything and (resource["db"] != "" or need.database not in ("local", "config"))


class PrivilegeCache:
    """Privileges by user, read from the config servers and refreshed in the background.

    Known users' commands don't wait for config servers. While those are unreachable, the last known privileges count.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[User, Privileges] = {}
        self._used: dict[User, float] = {}
        self._changes = 0

    async def of(self, user: User) -> Privileges:
        """A user's privileges. Raises CommandError 11 (UserNotFound) when the user has been removed."""
        if user.database == SYSTEM_DATABASE:
            return Privileges(None, [])
        self._used[user] = time.monotonic()
        return self._known.get(user) or await self._read(user)

    async def keep_fresh(self) -> None:
        """Until cancelled: refresh users who sent commands lately, forget the others."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            for user in list(self._known):
                if time.monotonic() - self._used[user] > FORGET_SECONDS:
                    del self._known[user], self._used[user]
                    continue
                try:
                    await self._read(user)
                except CommandError as error:
                    if error.code == USER_NOT_FOUND:
                        self._known.pop(user, None)
                    else:
                        log.warning("privileges of %s can't be refreshed: %s", user.name, error)

    async def _read(self, user: User) -> Privileges:
        changes = self._changes
        command = {"usersInfo": {"user": user.name, "db": user.database}, "showPrivileges": True}
        reply, _ = await self._catalog.config.run("admin", command, mode="primaryPreferred")
        users = plain(check(reply)["users"])
        if not users:
            raise CommandError(USER_NOT_FOUND, "UserNotFound", f"user {user.name}@{user.database} was removed")
        privileges = Privileges(users[0]["inheritedPrivileges"], users[0]["inheritedRoles"])
        if changes == self._changes:  # otherwise the reply may be older than the change
            self._known[user] = privileges
        return privileges

    def clear(self) -> None:
        """Call after users or roles have been changed through this router, so that it counts at once."""
        self._changes += 1
        self._known.clear()

    async def any_user_exists(self) -> bool:
        reply, _ = await self._catalog.config.run("admin", {"usersInfo": {"forAllDBs": True}})
        return bool(check(reply)["users"])
