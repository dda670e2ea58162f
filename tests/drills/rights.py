"""More rights for a database user, for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.deployed import Client
from tests.drills.attempts_on_data import LIBRARY

#: A library of the drill's own, which may be destroyed.
COPY = "film_library_copy"


class OnTheCopy:
    """A client whose film library is the drill's own."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getitem__(self, database: str) -> Any:
        return self._client[COPY if database == LIBRARY else database]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def fill_the_copy(administrator: Client) -> None:
    for name in ("administrators", "admin_sessions", "users", "sessions", "audit_log"):
        administrator[COPY][name].replace_one({"_id": "one"}, {}, upsert=True)
    administrator[COPY]["movies"].replace_one({"_id": "one"}, {"title": "Metropolis"}, upsert=True)
    administrator[COPY]["movies"].create_index("title")


def remove_what_attempts_leave(administrator: Client) -> None:
    for database in (COPY, "READ_ME"):
        administrator.drop_database(database)


def remove_the_evil_user(administrator: Client) -> None:
    if administrator.admin.command("usersInfo", "evil")["users"]:
        administrator.admin.command("dropUser", "evil")


def roles_of_users(administrator: Client) -> dict[str, list[dict[str, str]]]:
    return {user["user"]: user["roles"] for user in administrator.admin.command("usersInfo")["users"]}


@contextmanager
def every_right(administrator: Client, user: str) -> Iterator[None]:
    """The servers' own role, which may do everything; users have their roles again afterwards."""
    before = roles_of_users(administrator)
    administrator.admin.command("updateUser", user, roles=[*before[user], "__system"])
    try:
        yield
    finally:
        for name, roles in roles_of_users(administrator).items():
            if name in before and roles != before[name]:
                administrator.admin.command("updateUser", name, roles=before[name])
        remove_the_evil_user(administrator)
        assert roles_of_users(administrator) == before
