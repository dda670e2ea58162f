"""Who may do what in the database: the roles and users that the deployment makes, without passwords.

A backup has them as the deployment says. It doesn't ask the database: who may list its users may read the hashes of
their passwords, and the host that makes backups must not. A restore doesn't make them; they are compared.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.db.backups.errors import BackupFailed
from app.db.core import driver_errors, get_database


@dataclass(frozen=True)
class Access:
    """Roles with `name` and `privileges`, users with `name` and `roles`, as in MongoDB's createRole and createUser."""

    roles: Sequence[Mapping[str, Any]] = ()
    users: Sequence[Mapping[str, Any]] = ()


#: Where nobody has said.
UNKNOWN = Access()


def parse(text: str) -> Access:
    """From JSON with `roles` and `users`; whatever else they have is left out. Raises BackupFailed."""
    try:
        content = json.loads(text)
        return Access(_only(content["roles"], "privileges"), _only(content["users"], "roles"))
    except (ValueError, TypeError, KeyError) as error:
        raise BackupFailed(f"roles and users of the database: {error!r} in {text!r:.80}") from error


def _only(entries: Iterable[Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    return [{"name": entry["name"], key: entry[key]} for entry in entries]


@driver_errors()
def differences(wanted: Access) -> list[str]:
    """What the database has otherwise, in words; nothing where a backup says nothing. Raises DatabaseError."""
    if not wanted.users:
        return []
    admin = get_database().client.admin
    roles = admin.command("rolesInfo", 1, showPrivileges=True)["roles"]
    users = admin.command("usersInfo", 1)["users"]
    return [
        *_compare(
            "role", _each(wanted.roles, "privileges"), {role["role"]: _set(role["privileges"]) for role in roles}
        ),
        *_compare("user", _each(wanted.users, "roles"), {user["user"]: _set(user["roles"]) for user in users}),
    ]


def _each(entries: Iterable[Mapping[str, Any]], key: str) -> dict[str, frozenset[str]]:
    return {entry["name"]: _set(entry[key]) for entry in entries}


def _set(rights: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Privileges or roles, whatever their order."""
    return frozenset(
        json.dumps({key: sorted(value) if key == "actions" else value for key, value in right.items()}, sort_keys=True)
        for right in rights
    )


def _compare(kind: str, wanted: Mapping[str, frozenset[str]], there: Mapping[str, frozenset[str]]) -> list[str]:
    missing = [f"{kind} {name} is missing" for name in sorted(wanted.keys() - there.keys())]
    added = [f"{kind} {name} isn't in the backup" for name in sorted(there.keys() - wanted.keys())]
    both = sorted(wanted.keys() & there.keys())
    return missing + added + [f"{kind} {name} has other rights" for name in both if wanted[name] != there[name]]
