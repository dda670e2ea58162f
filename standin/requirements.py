"""What each command needs: functions from a request to the actions that the user must be allowed.

After MongoDB's manual, "Required Access" of each command, and its Privilege Actions page.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from standin.errors import CommandError
from standin.pipeline_requirements import collections_read, pipeline_needs
from standin.privileges import Need
from standin.request import Request


class Access(enum.Enum):
    """Commands that need no privilege."""

    BEFORE_LOGIN = "anybody who can connect"
    ANY_USER = "anybody who is logged in"


Requirement = Callable[[Request], Sequence[Need]]


def collection_name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise CommandError(73, "InvalidNamespace", "the collection's name must be a non-empty string")
    return value


def on_collection(*actions: str) -> Requirement:
    """These actions on the collection that is the command's value."""

    def needs(request: Request) -> list[Need]:
        return [Need(action, request.database, collection_name(request.target)) for action in actions]

    return needs


def on_database(*actions: str) -> Requirement:
    return lambda request: [Need(action, request.database) for action in actions]


def on_cluster(*actions: str) -> Requirement:
    return lambda request: [Need(action, cluster=True) for action in actions]


def on_namespace(*actions: str) -> Requirement:
    """These actions on the `database.collection` (or database) that is the command's value."""

    def needs(request: Request) -> list[Need]:
        database, _, collection = collection_name(request.target).partition(".")
        return [Need(action, database, collection) for action in actions]

    return needs


def on_anything(*actions: str) -> Requirement:
    """These actions on every database: for commands about shards, which belong to none."""
    return lambda _request: [Need(action) for action in actions]


def balancer_control(_request: Request) -> list[Need]:
    """balancerStart and balancerStop: whoever may write the balancer's settings."""
    return [Need("update", "config", "settings")]


def balancer_state(_request: Request) -> list[Need]:
    return [Need("find", "config", "settings")]


def insert(request: Request) -> list[Need]:
    return [*on_collection("insert")(request), *_bypass(request)]


def update(request: Request) -> list[Need]:
    upserts = any(item.get("upsert") for item in request.arguments["updates"])
    actions = ("update", "insert") if upserts else ("update",)
    return [*on_collection(*actions)(request), *_bypass(request)]


def find_and_modify(request: Request) -> list[Need]:
    actions = ["find", "remove" if request.arguments.get("remove") else "update"]
    if request.arguments.get("upsert"):
        actions.append("insert")
    return [*on_collection(*actions)(request), *_bypass(request)]


def _bypass(request: Request) -> list[Need]:
    if request.arguments.get("bypassDocumentValidation"):
        return [Need("bypassDocumentValidation", request.database, request.target)]
    return []


def aggregate(request: Request) -> list[Need]:
    collection = collection_name(request.target)
    pipeline = request.arguments["pipeline"]
    return [*pipeline_needs(request.database, collection, pipeline), *_bypass(request)]


def create(request: Request) -> list[Need]:
    """A view gives its readers what is behind it: its maker must be allowed to read that."""
    return [*on_collection("createCollection")(request), *_view_sources(request)]


def coll_mod(request: Request) -> list[Need]:
    return [*on_collection("collMod")(request), *_view_sources(request)]


def _view_sources(request: Request) -> list[Need]:
    if "viewOn" not in request.arguments and "pipeline" not in request.arguments:
        return []
    sources = {request.arguments.get("viewOn", request.target)}
    sources |= collections_read(request.database, request.arguments.get("pipeline", []))
    return [Need("find", request.database, collection_name(source)) for source in sources]


def rename_collection(request: Request) -> list[Need]:
    """Within one database; the target may be replaced only by one who may drop it."""
    database, _, source = collection_name(request.target).partition(".")
    target_database, _, target = collection_name(request.arguments["to"]).partition(".")
    needs = [
        Need("find", database, source),
        Need("dropCollection", database, source),
        Need("insert", target_database, target),
        Need("createIndex", target_database, target),
    ]
    if request.arguments.get("dropTarget"):
        needs.append(Need("dropCollection", target_database, target))
    return needs


def users_info(request: Request) -> list[Need]:
    """Everybody may look at himself."""
    user = request.user
    target = request.target
    if user is not None and not request.arguments.get("showCredentials"):
        own = {"user": user.name, "db": user.database}
        if target == user.name and request.database == user.database:
            return []
        if isinstance(target, Mapping) and dict(target.items()) == own:
            return []
    databases = _named_databases(request, target)
    needs = [Need("viewUser", database) for database in databases]
    if request.arguments.get("showCredentials"):
        # Password hashes: nobody but the servers themselves.
        needs.append(Need("internal", cluster=True))
    return needs


def roles_info(request: Request) -> list[Need]:
    return [Need("viewRole", database) for database in _named_databases(request, request.target)]


def _named_databases(request: Request, target: Any) -> list[str]:
    if isinstance(target, Mapping):
        return ["admin"] if target.get("forAllDBs") else [str(target.get("db", request.database))]
    if isinstance(target, (list, tuple)):
        return sorted({name for item in target for name in _named_databases(request, item)})
    return [request.database]


def create_user(request: Request) -> list[Need]:
    return [Need("createUser", request.database), *_grants(request, request.arguments.get("roles", []))]


def update_user(request: Request) -> list[Need]:
    needs = []
    if "roles" in request.arguments:
        # Sets the roles: takes away whatever they were before, in any database.
        needs += [Need("revokeRole", "admin"), *_grants(request, request.arguments["roles"])]
    if "customData" in request.arguments:
        needs.append(Need("changeCustomData", request.database))
    needs.append(Need("changePassword", request.database))
    return needs


def grant_roles_to_user(request: Request) -> list[Need]:
    return _grants(request, request.arguments["roles"])


def revoke_roles_from_user(request: Request) -> list[Need]:
    return _grants(request, request.arguments["roles"], action="revokeRole")


def create_role(request: Request) -> list[Need]:
    return [Need("createRole", request.database), *_role_contents(request)]


def update_role(request: Request) -> list[Need]:
    return [Need("revokeRole", request.database), *_role_contents(request)]


def _role_contents(request: Request) -> list[Need]:
    needs = _grants(request, request.arguments.get("roles", []))
    for privilege in request.arguments.get("privileges", []):
        # On a whole cluster, or on every database: as if on admin.
        database = privilege["resource"].get("db") or "admin"
        needs.append(Need("grantRole", database))
    return needs


def _grants(request: Request, roles: Sequence[Any], action: str = "grantRole") -> list[Need]:
    databases = {role["db"] if isinstance(role, Mapping) else request.database for role in roles}
    return [Need(action, database) for database in sorted(databases)]
