"""Passkeys in a real browser, with Chromium's virtual authenticator, at http://localhost, which counts as secure."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from playwright.sync_api import CDPSession, Page, Route, expect
from test_pages import faults
from tour import PASSWORD, PHONE, Tour, follow, log_in, new_name

from app.db.accounts import administrators
from app.db.core import connection
from ops.local_cluster import LocalCluster

USE = re.compile(r"/passkeys/use\?")
MODES = {"desk": {"color_scheme": "light"}, "dark phone": {"color_scheme": "dark", "viewport": PHONE}}


@pytest.fixture
def superadmin(cluster: LocalCluster) -> str:
    """The name of a superadmin without a second factor."""
    connection.connect(connection.DatabaseConfig(uri=cluster.uri("film-library-admin")))
    name = new_name()
    administrators.ensure(name, PASSWORD, superadmin=True, expired=False)
    connection.disconnect()
    return name


@pytest.fixture
def named(tour: Tour) -> Tour:
    """The tour, with the admin app at a name instead of an IP address."""
    tour.site = replace(tour.site, admin=tour.site.admin.replace("127.0.0.1", "localhost"))
    return tour


class Authenticator:
    """One in the page's browser, which verifies its user."""

    def __init__(self, page: Page) -> None:
        self.browser: CDPSession = page.context.new_cdp_session(page)
        self.browser.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
        added = self.browser.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.name = {"authenticatorId": added["authenticatorId"]}

    def verifies(self, verified: bool) -> None:
        """Whether the user's fingerprint is right from now on."""
        self.browser.send("WebAuthn.setUserVerified", {**self.name, "isUserVerified": verified})

    def forget(self) -> None:
        self.browser.send("WebAuthn.clearCredentials", self.name)


def add_first(page: Page, site: str, name: str) -> None:
    """Through the pages of a first log-in, up to the recovery codes."""
    log_in(page, site, name)
    follow(page, page.get_by_role("link", name="Use a passkey instead"))
    follow(page, page.get_by_role("button", name="Add passkey"))
    expect(page.locator(".recovery-codes li")).to_have_count(10)


def log_out(page: Page) -> None:
    follow(page, page.get_by_role("button", name="Log out", exact=True).first)


@pytest.mark.parametrize("mode", MODES)
def test_a_passkey_is_added_used_and_removed(named: Tour, superadmin: str, mode: str) -> None:
    page, site = named.window(**MODES[mode]), named.site.admin
    device = Authenticator(page)
    log_in(page, site, superadmin)
    follow(page, page.get_by_role("link", name="Use a passkey instead"))
    assert faults(page) == []
    expect(page.get_by_text("Passkeys need JavaScript")).to_be_hidden()
    field = page.get_by_label("Name", exact=True)
    expect(field).to_be_focused()
    expect(field).to_have_value("Chrome on Linux")
    field.fill("This computer")
    follow(page, page.get_by_role("button", name="Add passkey"))
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    page.goto(f"{site}/account")
    expect(page.get_by_text("This computer", exact=True)).to_be_visible()
    assert faults(page) == []

    follow(page, page.get_by_role("link", name="Add a passkey"))
    page.get_by_role("button", name="Add passkey").click()
    expect(page.get_by_role("alert")).to_have_text("This device already has a passkey for your account.")

    log_out(page)
    log_in(page, site, superadmin)
    button = page.get_by_role("button", name="Use a passkey")
    expect(button).to_be_focused()
    assert faults(page) == []
    device.verifies(False)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("No passkey was used. Try again.")
    assert faults(page) == []
    device.verifies(True)
    follow(page, button)
    assert page.url == f"{site}/"

    page.goto(f"{site}/account")
    follow(page, page.get_by_role("button", name="Remove the passkey This computer"))
    expect(page.get_by_text("Superadmins need a second factor")).to_be_visible()
    device.forget()
    follow(page, page.get_by_role("link", name="Add a passkey"))
    page.get_by_label("Name", exact=True).fill("Key ring")
    follow(page, page.get_by_role("button", name="Add passkey"))
    follow(page, page.get_by_role("button", name="Remove the passkey This computer"))
    expect(page.get_by_role("button", name="Remove the passkey Key ring")).to_be_visible()
    expect(page.get_by_role("button", name="Remove the passkey This computer")).to_have_count(0)


def test_a_removed_passkey_is_refused(named: Tour, superadmin: str, cluster: LocalCluster) -> None:
    """Between the page and the answer: the browser still has it."""
    page, site = named.window(), named.site.admin
    Authenticator(page)
    add_first(page, site, superadmin)
    log_out(page)
    log_in(page, site, superadmin)
    expect(page.get_by_role("button", name="Use a passkey")).to_be_visible()
    with cluster.client() as client:

        def replace_first(route: Route) -> None:
            another = {"$set": {"passkeys.0.key_id": "another"}}
            assert client.movie_library.administrators.update_one({"username": superadmin}, another).modified_count
            route.continue_()

        page.route(USE, replace_first)
        follow(page, page.get_by_role("button", name="Use a passkey"))
    expect(page.get_by_role("alert")).to_have_text("This passkey wasn't accepted. Try again, or enter a code.")
    assert faults(page) == []


def test_an_answer_is_of_no_use_to_another_session(named: Tour, superadmin: str) -> None:
    """Sent again in a second session of the same account, with its own challenge waiting."""
    page, site = named.window(), named.site.admin
    Authenticator(page)
    add_first(page, site, superadmin)
    log_out(page)
    log_in(page, site, superadmin)
    with page.expect_request(USE) as sent:
        follow(page, page.get_by_role("button", name="Use a passkey"))
    answer = (sent.value.post_data_json or {})["credential"]
    assert page.url == f"{site}/"
    thief = named.window()
    log_in(thief, site, superadmin)
    send = """([path, credential]) => {
        const { csrf_token } = document.forms[1].elements;
        return fetch(path, { method: "POST", body: new URLSearchParams({ csrf_token: csrf_token.value, credential }) })
            .then((answer) => answer.status);
    }"""
    assert thief.evaluate(send, ["/passkeys/use/options", ""]) == 200
    assert thief.evaluate(send, ["/passkeys/use", answer]) == 422
    thief.goto(f"{site}/account")
    assert "/second-factor" in thief.url
    assert named.complaints == [f"{site}/passkeys/use: 422"]
    named.complaints.clear()


@pytest.mark.parametrize("script", [True, False], ids=["at an IP address", "without JavaScript"])
def test_where_there_are_no_passkeys_the_page_says_so(tour: Tour, superadmin: str, script: bool) -> None:
    page = tour.window(java_script_enabled=script)
    site = tour.site.admin if script else tour.site.admin.replace("127.0.0.1", "localhost")
    tour.site = replace(tour.site, admin=site)
    log_in(page, site, superadmin)
    follow(page, page.get_by_role("link", name="Use a passkey instead"))
    expect(page.get_by_text("by an IP address" if script else "Passkeys need JavaScript")).to_be_visible()
    expect(page.get_by_role("button", name="Add passkey")).to_have_count(0)
    if script:
        assert faults(page) == []
    follow(page, page.get_by_role("link", name="Use an authenticator app instead"))
    expect(page.get_by_role("button", name="Turn on")).to_be_visible()
