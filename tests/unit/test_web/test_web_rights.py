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
from app.db import operations
from app.db.core import ADMIN, SUPERADMIN

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
NAMES = {ADMIN: "boss", SUPERADMIN: "rootadmin"}
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
    boss: Visitor, root: Visitor, user_id: Callable[..., str], page: str
) -> None:
    for name in ("boss", "rootadmin"):
        record = f"/collections/administrators/{user_id(name, 'administrators')}"
        assert boss.get(record + page).status_code == 403
        assert boss.send(record + page, {"username": "renamed"}, form_on="/").status_code == 403
        assert root.get(record + page).status_code == 200
        shown = boss.get(record).text
        assert "Only superadmins" in shown
        assert "/edit" not in shown
    assert boss.get(f"/collections/users/{user_id('ann')}{page}").status_code == 200


def test_only_superadmins_create_administrators(boss: Visitor, root: Visitor, new_name: str) -> None:
    page = "/collections/administrators/new"
    form = {"username": new_name, "password": "three blind mice 1927", "admin_status": "2"}
    assert boss.get(page).status_code == 403
    assert boss.send(page, form, form_on="/").status_code == 403
    assert page not in boss.get("/collections/administrators").text
    refused = root.send(page, {**form, "admin_status": "0"})
    assert set(Form(refused.text, page).errors) == {"admin_status"}
    made = root.send(page, form)
    assert "Superadmin" in root.get(made.location).text


def test_nothing_makes_a_user_an_administrator(root: Visitor, user_id: Callable[..., str], new_name: str) -> None:
    form = {"username": new_name, "password": "three blind mice 1927", "admin_status": "2"}
    assert root.send("/collections/users/new", form).status_code == 302
    edit = f"/collections/users/{user_id(new_name)}/edit"
    assert root.send(edit, {**Form(root.get(edit).text, edit).values, "admin_status": "2"}).status_code == 302
    bulk = {"ids": user_id(new_name), "field": "admin_status", "operation": "set", "value": "2", "step": "run"}
    assert root.send("/collections/users/bulk", {**bulk, "action": "edit"}, form_on="/").location.endswith("/users")
    assert operations.check_admin_status(new_name) == 0
    assert "admin_status" not in root.get(f"/collections/users/export?filter=username.eq.{new_name}").text


def test_administrators_are_not_changed_in_bulk(root: Visitor, user_id: Callable[..., str]) -> None:
    listing = "/collections/administrators"
    assert 'name="ids"' not in root.get(listing).text
    for action in ("edit", "delete"):
        bulk = {"ids": user_id("boss", "administrators"), "action": action, "step": "run", "confirm": "1"}
        assert root.send(f"{listing}/bulk", bulk, form_on="/").status_code == 404
