"""What each role may do. Every view names its action; views that don't are closed."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import abort
from flask_login import current_user

from app.db.core import ADMIN, SUPERADMIN, Actor

P = ParamSpec("P")
R = TypeVar("R")


class Action(StrEnum):
    """What administrators may do."""

    VIEW = "view records and dashboards"
    CREATE = "create a record"
    EDIT = "edit a record"
    DELETE = "delete a record"
    IMPORT = "import a file"
    EXPORT = "export a list"
    BULK_EDIT = "edit many records"
    BULK_DELETE = "delete many records"
    MANAGE_ADMINS = "create or change administrators"
    AUDIT = "view the audit log, and undo others' jobs"


# The lowest admin_status (app.db.core.models) for each action.
RIGHTS: dict[Action, int] = {
    Action.VIEW: ADMIN,
    Action.CREATE: ADMIN,
    Action.EDIT: ADMIN,
    Action.DELETE: ADMIN,
    Action.IMPORT: ADMIN,
    Action.EXPORT: ADMIN,
    Action.BULK_EDIT: ADMIN,
    Action.BULK_DELETE: SUPERADMIN,
    Action.MANAGE_ADMINS: SUPERADMIN,
    Action.AUDIT: SUPERADMIN,
}


def may(action: Action) -> bool:
    """Whether the signed-in user has the right."""
    return bool(current_user.is_authenticated and current_user.admin_status >= RIGHTS[action])


def may_write(action: Action, collection: str) -> bool:
    """Whether the signed-in user may create, edit or delete in a collection: administrators are for superadmins."""
    return may(action) and (collection != "administrators" or may(Action.MANAGE_ADMINS))


def check(action: Action) -> None:
    """Answer 403 unless the signed-in user has the right."""
    if not may(action):
        abort(403)


def check_write(action: Action, collection: str) -> None:
    """Answer 403 unless `may_write`."""
    if not may_write(action, collection):
        abort(403)


def requires(action: Action) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a view with its action. `app.admin.access` refuses views without one."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            check(action)
            return view(*args, **kwargs)

        checked.action = action  # type: ignore[attr-defined]  # read by app.admin.access
        return checked

    return decorate


def action_of(view: Callable[..., Any]) -> Action | None:
    """The action that a view was decorated with."""
    return getattr(view, "action", None)


def actor() -> Actor:
    """The signed-in user, for the audit log."""
    return Actor(current_user.user_id, current_user.username)
