"""Rights by role, tested on every route of the admin app."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from web_form import Form
from web_visitor import Visitor, with_session
from werkzeug.test import TestResponse

from app.admin.access import OPEN_ENDPOINTS
from app.admin.rights import RIGHTS, Action, action_of
from app.db.core import ADMIN, SUPERADMIN, USER

ADMINS, SUPERADMINS = {ADMIN, SUPERADMIN}, {SUPERADMIN}
MATRIX = {
    Action.VIEW: ADMINS,
    Action.CREATE: ADMINS,
    Action.EDIT: ADMINS,
    Action.DELETE: ADMINS,
    Action.IMPORT: ADMINS,
    Action.EXPORT: ADMINS,
    Action.BULK_EDIT: ADMINS,
    Action.BULK_DELETE: SUPERADMINS,
    Action.MANAGE_ADMINS: SUPERADMINS,
    Action.AUDIT: SUPERADMINS,
}
NAMES = {USER: "ann", ADMIN: "boss", SUPERADMIN: "rootadmin"}
# No such record, so that allowed requests change nothing.
ARGUMENTS = {"name": "movies", "document_id": "nothing"}


def requests(app: Flask) -> list[tuple[str, str, str]]:
    """(method, address, endpoint) of all routes that aren't open."""
    adapter = app.url_map.bind("localhost")
    return [
        (
            method,
            adapter.build(rule.endpoint, {name: ARGUMENTS.get(name, "0" * 24) for name in rule.arguments}, method),
            rule.endpoint,
        )
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in OPEN_ENDPOINTS
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"})
    ]


@pytest.fixture
def app(admin_app: Flask) -> Flask:
    """The admin app without CSRF protection, which would come before the rights."""
    admin_app.config["WTF_CSRF_ENABLED"] = False
    return admin_app


def call(visitor: Visitor, method: str, address: str) -> TestResponse:
    return visitor.get(address) if method == "GET" else visitor.post(address)


def refused(response: TestResponse) -> bool:
    """Whether the response is a 403 or a redirect to the log-in page."""
    return response.status_code == 403 or (response.location or "").startswith("/log-in?")


def test_the_table_is_the_matrix() -> None:
    assert set(MATRIX) == set(Action)
    assert {action: {role for role in NAMES if role >= lowest} for action, lowest in RIGHTS.items()} == MATRIX


def test_every_view_names_its_action(app: Flask) -> None:
    views = {endpoint: action_of(app.view_functions[endpoint]) for _, _, endpoint in requests(app)}
    assert [endpoint for endpoint, action in views.items() if action is None] == []
    assert len(views) >= 10


@pytest.mark.parametrize("role", NAMES)
def test_each_role_has_its_rights(app: Flask, role: int) -> None:
    wrong = []
    for method, address, endpoint in requests(app):
        visitor = with_session(Visitor(app), NAMES[role])  # a new session each time: one of the routes logs out
        response = call(visitor, method, address)
        action = action_of(app.view_functions[endpoint])
        assert action is not None
        # Allowed requests get any answer (often 404) but a refusal.
        if refused(response) == (role in MATRIX[action]) or response.status_code >= 500:
            wrong.append((method, address, response.status_code))
    assert wrong == []


def test_anonymous_visitors_get_nothing(app: Flask) -> None:
    for method, address, _ in requests(app):
        response = call(Visitor(app), method, address)
        assert response.status_code == 302, f"{method} {address}"
        assert refused(response), f"{method} {address}"


def test_posts_need_a_token(admin_app: Flask, root: Visitor) -> None:
    posts = [address for method, address, _ in requests(admin_app) if method == "POST"]
    assert posts
    assert {address: root.post(address).status_code for address in posts} == dict.fromkeys(posts, 400)


@pytest.mark.parametrize("page", ["/edit", "/delete"])
def test_admins_cannot_change_administrators(
    boss: Visitor, root: Visitor, user_id: Callable[[str], str], page: str
) -> None:
    for name in ("boss", "rootadmin"):
        address = f"/collections/users/{user_id(name)}{page}"
        assert boss.get(address).status_code == 403
        assert boss.send(address, {"username": "renamed"}, form_on="/").status_code == 403
        assert root.get(address).status_code == 200
    assert boss.get(f"/collections/users/{user_id('ann')}{page}").status_code == 200
    page_of_root = boss.get(f"/collections/users/{user_id('rootadmin')}").text
    assert "Only superadmins" in page_of_root
    assert "/edit" not in page_of_root


def test_admins_cannot_create_administrators(
    boss: Visitor, root: Visitor, user_id: Callable[[str], str], new_name: str
) -> None:
    form = {"username": new_name, "password": "three blind mice 1927", "admin_status": "2"}
    made = boss.send("/collections/users/new", form)
    assert made.status_code == 302
    assert "Superadmin" not in boss.get(made.location).text
    edit = f"/collections/users/{user_id('ann')}/edit"
    raised = boss.send(edit, {**Form(boss.get(edit).text, edit).values, "admin_status": "1"})
    assert raised.status_code == 302
    assert "badge-1" not in boss.get(raised.location).text
    other = root.send("/collections/users/new", {**form, "username": f"{new_name}-too"})
    assert "Superadmin" in root.get(other.location).text
