"""Administrators' own accounts in a browser: the first log-in, and entering the password again."""

from __future__ import annotations

from datetime import UTC, datetime

import pyotp
import pytest
from playwright.sync_api import expect
from tour import PASSWORD, PHONE, Tour, follow, log_in, new_name

from app.db.accounts import administrators
from app.db.core import connection
from ops.local_cluster import LocalCluster

OTHER = "four blind mice 1928"


@pytest.fixture
def superadmin(cluster: LocalCluster) -> str:
    """The name of a superadmin who has never logged in."""
    connection.connect(connection.DatabaseConfig(uri=cluster.uri("film-library-admin")))
    name = new_name()
    administrators.ensure(name, PASSWORD, superadmin=True)
    connection.disconnect()
    return name


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without"])
def test_a_superadmins_first_log_in(tour: Tour, superadmin: str, script: bool) -> None:
    page = tour.window(java_script_enabled=script, viewport=PHONE)
    log_in(page, tour.site.admin, superadmin)
    page.get_by_label("Current password", exact=True).fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(OTHER)
    page.get_by_label("Confirm new password", exact=True).fill(OTHER)
    follow(page, page.get_by_role("button", name="Change password"))
    secret = page.locator(".secret").inner_text().replace(" ", "")
    page.get_by_label("Code", exact=True).fill("12345")
    follow(page, page.get_by_role("button", name="Turn on"))
    code = page.get_by_label("Code", exact=True)
    expect(code).to_be_focused()
    expect(code).to_have_accessible_description("This code isn't right, or it has been used. Wait for the next one.")
    code.fill(pyotp.TOTP(secret).now())
    follow(page, page.get_by_role("button", name="Turn on"))
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    follow(page, page.get_by_role("link", name="I have kept them"))
    assert page.url == f"{tour.site.admin}/"


def test_a_dialog_sends_on_to_the_password_and_keeps_what_was_typed(tour: Tour, cluster: LocalCluster) -> None:
    def forget() -> None:
        long_ago = {"$set": {"confirmed_at": datetime(2026, 1, 1, tzinfo=UTC)}}
        with cluster.client() as client:
            client.movie_library.admin_sessions.update_many({}, long_ago)

    page, name = tour.window(), new_name()
    log_in(page, tour.site.admin, "boss")
    page.goto(f"{tour.site.admin}/collections/users")
    forget()
    follow(page, page.get_by_role("link", name="New user"))  # leaves the list instead of opening a dialog
    page.get_by_label("Your password", exact=True).fill(PASSWORD)
    follow(page, page.get_by_role("button", name="Confirm"))
    assert page.url.endswith("/collections/users/new")

    page.goto(f"{tour.site.admin}/collections/users")
    page.get_by_role("link", name="New user").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    dialog.locator("[name=password]").fill(PASSWORD)
    forget()
    dialog.get_by_role("button", name="Add").click()
    with page.context.expect_page() as opened:
        dialog.get_by_role("link", name="enter your password again in a new tab").click()
    opened.value.get_by_label("Your password", exact=True).fill(PASSWORD)
    follow(opened.value, opened.value.get_by_role("button", name="Confirm"))
    expect(dialog.get_by_label("Name")).to_have_value(name)
    dialog.locator("[name=password]").fill(PASSWORD)
    follow(page, dialog.get_by_role("button", name="Add"))
    expect(page.get_by_role("status").filter(has_text="has been added")).to_be_visible()
    assert tour.complaints == [f"{tour.site.admin}/collections/users/new: 422"]
    tour.complaints.clear()
