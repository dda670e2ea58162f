"""Privileges of users: how they match what a command needs, and where they come from.

https://www.mongodb.com/docs/manual/reference/resource-document/
"""

import logging
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from standin.errors import CommandError, check
from standin.wire import plain

if TYPE_CHECKING:
    from standin.catalog import Catalog
    from standin.operation import User

# A privilege that was taken away through another router is gone here after this time (mongos: 30 s).
REFRESH_SECONDS = 5.0

# The internal user, who shares the key file: the servers give it everything.
SYSTEM_DATABASE = "local"

log = logging.getLogger(__name__)


class Need(NamedTuple):
    """An action on a resource: on the cluster, on a database (`collection` empty) or on one collection."""

    action: str
    database: str = ""
    collection: str = ""
    cluster: bool = False


class Privileges:
    """What one user may do. `documents` are as in usersInfo's inheritedPrivileges; None means everything."""

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
    """Privileges by user, read from the config servers."""

    def __init__(self, catalog: "Catalog") -> None:
        self._catalog = catalog
        self._cache: dict[User, tuple[float, Privileges]] = {}

    async def of(self, user: "User") -> Privileges:
        """Raises CommandError 11 (UserNotFound) when the user has been removed.

        While the config servers can't be asked, what was known goes on to count: reads and writes don't need
        them either.
        """
        if user.database == SYSTEM_DATABASE:
            return Privileges(None, [])
        read_at, known = self._cache.get(user, (0.0, None))
        if known is not None and time.monotonic() - read_at < REFRESH_SECONDS:
            return known
        try:
            fresh = await self._read(user)
        except CommandError as error:
            if known is None or error.code == 11:
                self._cache.pop(user, None)
                raise
            log.warning("privileges of %s can't be refreshed: %s", user.name, error)
            fresh = known
        self._cache[user] = (time.monotonic(), fresh)
        return fresh

    async def _read(self, user: "User") -> Privileges:
        command = {"usersInfo": {"user": user.name, "db": user.database}, "showPrivileges": True}
        known = user in self._cache
        # With an old answer at hand don't make commands wait for an election.
        mode = "primaryPreferred" if known else "primary"
        reply, _ = await self._catalog.config.run("admin", command, mode=mode, retry=not known)
        users = plain(check(reply)["users"])
        if not users:
            raise CommandError(11, "UserNotFound", f"user {user.name}@{user.database} was removed")
        return Privileges(users[0]["inheritedPrivileges"], users[0]["inheritedRoles"])

    def clear(self) -> None:
        self._cache.clear()

    async def any_user_exists(self) -> bool:
        reply, _ = await self._catalog.config.run("admin", {"usersInfo": {"forAllDBs": True}})
        return bool(check(reply)["users"])
