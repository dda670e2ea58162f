"""The privileges that each command needs: functions from a request to a list of needs.

Sources: "Required Access" of each command in MongoDB's manual, and its page Privilege Actions.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from standin.errors import CommandError, not_supported
from standin.privileges import Need
from standin.request import Request


class Access(enum.Enum):
    """Commands that need no privilege."""

    BEFORE_LOGIN = "anyone who can connect"
    ANY_USER = "anyone who is logged in"


# Stages that read only the documents that flow through them. An internal stage ($_internal..., $mergeCursors) must not
# be passed on: from the router, their trusted internal user, servers would run it unchecked.
STAGES = frozenset(
    {
        "$addFields",
        "$count",
        "$group",
        "$limit",
        "$match",
        "$project",
        "$set",
        "$skip",
        "$sort",
        "$sortByCount",
        "$unset",
        "$unwind",
    }
)

Requirement = Callable[[Request], Sequence[Need]]


def collection_name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise CommandError(73, "InvalidNamespace", "the collection's name must be a non-empty string")
    return value


def on_collection(*actions: str) -> Requirement:
    """Actions on the collection that the command names."""

    def needs(request: Request) -> list[Need]:
        return [Need(action, request.database, collection_name(request.target)) for action in actions]

    return needs


def on_database(*actions: str) -> Requirement:
    return lambda request: [Need(action, request.database) for action in actions]


def on_cluster(*actions: str) -> Requirement:
    return lambda request: [Need(action, cluster=True) for action in actions]


def on_namespace(*actions: str) -> Requirement:
    """Actions on the `database.collection`, or database, that the command names."""

    def needs(request: Request) -> list[Need]:
        database, _, collection = collection_name(request.target).partition(".")
        return [Need(action, database, collection) for action in actions]

    return needs


def rename_collection(request: Request) -> list[Need]:
    """As in MongoDB, who can't read the collection must not be able to read it under its new name.

    So the privileges that a role may have on single collections aren't enough: that is stricter than MongoDB.
    """
    database, _, _ = collection_name(request.target).partition(".")
    actions = ["renameCollectionSameDB", "find", *(["dropCollection"] if request.arguments.get("dropTarget") else [])]
    return [Need(action, database) for action in actions]


def balancer_control(_request: Request) -> list[Need]:
    """balancerStart and balancerStop, for users who may write the balancer's settings."""
    return [Need("update", "config", "settings")]


def balancer_state(_request: Request) -> list[Need]:
    return [Need("find", "config", "settings")]


def update(request: Request) -> Sequence[Need]:
    upserts = any(item.get("upsert") for item in request.arguments["updates"])
    actions = ("update", "insert") if upserts else ("update",)
    return on_collection(*actions)(request)


def find_and_modify(request: Request) -> Sequence[Need]:
    actions = ["find", "remove" if request.arguments.get("remove") else "update"]
    if request.arguments.get("upsert"):
        actions.append("insert")
    return on_collection(*actions)(request)


# Stages that look at one event alone, so that shards can run them.
EVENT_STAGES = frozenset({"$addFields", "$match", "$project", "$set", "$unset"})
_STREAM_OPTIONS = frozenset({"fullDocument", "resumeAfter", "startAfter", "startAtOperationTime"})


def watches(request: Request) -> bool:
    """Whether an `aggregate` opens a change stream."""
    pipeline = request.arguments["pipeline"]
    return bool(pipeline) and isinstance(pipeline[0], Mapping) and list(pipeline[0]) == ["$changeStream"]


def _only_of_events(pipeline: Sequence[Mapping[str, Any]]) -> None:
    """Raises CommandError for what isn't passed on."""
    for option in pipeline[0]["$changeStream"]:
        if option not in _STREAM_OPTIONS:
            raise not_supported(f"$changeStream with {option}")
    for stage in pipeline[1:]:
        if not isinstance(stage, Mapping) or not set(stage) <= EVENT_STAGES:
            raise not_supported("this stage after $changeStream")


def aggregate(request: Request) -> list[Need]:
    """Raises CommandError for a stage that isn't passed on."""
    action = "find"
    if watches(request):
        if request.target != 1 or request.database in ("admin", "config", "local"):
            raise not_supported("a change stream of anything but a database")
        _only_of_events(request.arguments["pipeline"])
        return [Need("changeStream", request.database), Need("find", request.database)]
    for position, stage in enumerate(request.arguments["pipeline"]):
        if not isinstance(stage, Mapping) or len(stage) != 1:
            raise CommandError(
                40323, "Location40323", "A pipeline stage specification object must contain exactly one field."
            )
        (name,) = stage
        if name == "$collStats" and position == 0:
            action = "collStats"
        elif name not in STAGES:
            raise CommandError(
                40324,
                "Location40324",
                f"Unrecognized pipeline stage name: '{name}' (of those that the mongos stand-in passes on)",
            )
    return [Need(action, request.database, collection_name(request.target))]


def users_info(request: Request) -> list[Need]:
    """Users may read their own entry."""
    user = request.user
    if user is not None:
        own = {"user": user.name, "db": user.database}
        if request.target == user.name and request.database == user.database:
            return []
        if isinstance(request.target, Mapping) and dict(request.target.items()) == own:
            return []
    return [Need("viewUser", database) for database in _named_databases(request, request.target)]


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
        # Replaces the roles, which may be of any database.
        needs += [Need("revokeRole", "admin"), *_grants(request, request.arguments["roles"])]
    needs.append(Need("changePassword", request.database))
    return needs


def create_role(request: Request) -> list[Need]:
    return [Need("createRole", request.database), *_role_contents(request)]


def update_role(request: Request) -> list[Need]:
    return [Need("revokeRole", request.database), *_role_contents(request)]


def _role_contents(request: Request) -> list[Need]:
    needs = _grants(request, request.arguments.get("roles", []))
    for privilege in request.arguments.get("privileges", []):
        # A privilege on the cluster, or on every database, is granted in admin.
        database = privilege["resource"].get("db") or "admin"
        needs.append(Need("grantRole", database))
    return needs


def _grants(request: Request, roles: Sequence[Any], action: str = "grantRole") -> list[Need]:
    databases = {role["db"] if isinstance(role, Mapping) else request.database for role in roles}
    return [Need(action, database) for database in sorted(databases)]
