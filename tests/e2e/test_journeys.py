"""Journeys through both apps, with and without JavaScript, and by keyboard only."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from tour import PASSWORD, Tour, follow, log_in, new_name, sign_up


def heading(page: Page, name: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
def test_a_newcomer_signs_up_finds_a_film_and_leaves(tour: Tour, javascript: bool) -> None:
    page, name = tour.window(java_script_enabled=javascript), new_name()
    page.goto(f"{tour.site.user}/account")
    heading(page, "Log in")
    sign_up(page, tour.site.user, name)
    expect(page.get_by_role("status")).to_have_text(f"Welcome, {name}.")

    page.get_by_label("Search films").fill('"social network"')
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("status")).to_have_text("1 film")
    page.get_by_role("link", name="The Social Network").click()
    heading(page, "The Social Network")
    expect(page.get_by_text("Critics, Rotten Tomatoes")).to_be_visible()
    expect(page.get_by_text("David Fincher")).to_be_visible()

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    page.goto(f"{tour.site.user}/account")
    heading(page, "Log in")


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
def test_an_administrator_pages_through_the_films(tour: Tour, javascript: bool) -> None:
    page = tour.window(java_script_enabled=javascript)
    page.goto(tour.site.admin)
    heading(page, "Log in")
    log_in(page, tour.site.admin, "boss")
    heading(page, re.compile("records"))
    page.get_by_role("main").get_by_role("link", name="Movies").click()
    heading(page, "Movies")
    page.get_by_label("Rows").select_option("25")
    follow(page, page.locator(".list-options").get_by_role("button", name="Apply"))
    follow(page, page.get_by_role("link", name="Title"))

    def titles() -> list[str]:
        return page.get_by_role("rowheader").all_inner_texts()

    first = titles()
    assert len(first) == 25
    assert first == sorted(first)
    follow(page, page.get_by_role("link", name="Next").first)
    second = titles()
    assert not set(first) & set(second)
    follow(page, page.get_by_role("link", name="Previous").first)
    assert titles() == first
    follow(page, page.get_by_role("button", name="Log out"))
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    page.go_back()
    page.reload()
    heading(page, "Log in")


def test_by_keyboard_only(tour: Tour) -> None:
    page, name = tour.window(), new_name()
    page.goto(tour.site.user)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Search films")).to_be_focused()
    page.keyboard.type("social netw")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("1 film")
    tab_to(page, "The Social Network")
    page.keyboard.press("Enter")
    heading(page, "The Social Network")

    tab_to(page, "Sign up")
    page.keyboard.press("Enter")
    heading(page, "Sign up")
    page.get_by_label("Name").focus()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Show password").first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(f"Welcome, {name}.")


def test_a_member_by_keyboard_only(tour: Tour) -> None:
    page = tour.window()
    sign_up(page, tour.site.user, new_name())
    page.goto(f"{tour.site.user}/search?q=the")
    expect(page.locator(".facets").get_by_role("link", name="drama")).to_be_visible()
    tab_to(page, "drama")
    with page.expect_event("load"):
        page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Remove the filter drama").first).to_be_visible()

    title = page.locator("main .card-title").first.inner_text()
    like = page.get_by_role("button", name=f"Like {title}", exact=True)
    tab_to(page, f"Like {title}")
    for pressed in ("true", "false", "true"):
        with page.expect_response(re.compile("/like$")):
            page.keyboard.press("Enter")
        expect(like).to_have_attribute("aria-pressed", pressed)
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Undo")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(like).to_be_focused()

    tab_to(page, "Your likes", key="Shift+Tab")
    with page.expect_event("load"):
        page.keyboard.press("Enter")
    heading(page, "Your likes")
    tab_to(page, f"Like {title}")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No likes yet")).to_be_visible()
    tab_to(page, "Undo")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 film", exact=True)).to_be_visible()
    expect(like).to_be_focused()


def tab_to(page: Page, text: str, key: str = "Tab") -> None:
    """Press Tab until the element with this name has the focus, checking that the focus is always visible."""
    for _ in range(80):
        page.keyboard.press(key)
        words, outline = page.evaluate(
            "() => [document.activeElement.ariaLabel ?? document.activeElement.innerText, "
            "getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert outline != "none", f"no visible focus on {words!r}"
        if text in words:
            return
    pytest.fail(f"{text!r} can't be reached with Tab")


def test_the_password_can_be_shown(tour: Tour) -> None:
    page = tour.window()
    page.goto(f"{tour.site.user}/log-in")
    page.get_by_label("Password", exact=True).fill("visible")
    button = page.get_by_role("button", name="Show password")
    button.click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    expect(button).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Name").fill("somebody")
    page.evaluate("document.querySelector('main form').addEventListener('submit', (event) => event.preventDefault())")
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "password")


def test_errors_appear_beside_the_field(tour: Tour) -> None:
    page = tour.window()
    page.goto(f"{tour.site.user}/sign-up")
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    name = page.get_by_label("Name")
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_accessible_description(re.compile("Choose a name"))
