"""A new user's journey through the user app: search, like, get recommendations, delete the account.

Screenshots of each step are in build/screenshots, by mode.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tour import PASSWORD, PHONE, Tour, follow, new_name, sign_up

from ops.paths import ROOT

PICTURES = ROOT / "build" / "screenshots"
DESK, PHONE_AT_NIGHT = {"color_scheme": "light"}, {"color_scheme": "dark", "viewport": PHONE}
MODES: dict[str, dict[str, Any]] = {
    "desk": DESK,
    "phone-at-night": PHONE_AT_NIGHT,
    "no-javascript": {**DESK, "java_script_enabled": False},
    "keyboard": DESK,
}
FURTHEST = 150  # presses of Tab
FOLLOWING = 4  # Node.DOCUMENT_POSITION_FOLLOWING


class NewUser:
    """A new user in one window, taking screenshots; in the mode "keyboard" without a mouse."""

    def __init__(self, tour: Tour, mode: str) -> None:
        self.page = tour.window(**MODES[mode], accept_downloads=True)
        self.site = tour.site.user
        self.scripted = MODES[mode].get("java_script_enabled", True)
        self._keyboard = mode == "keyboard"
        self._pictures = PICTURES / mode
        self._taken = 0

    def visit(self, path: str) -> None:
        self.page.goto(self.site + path)

    def heading(self, name: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible()

    def picture(self, name: str) -> None:
        self._taken += 1
        self._pictures.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self._pictures / f"{self._taken:02}-{name}.png")

    def click(self, target: Locator) -> None:
        if not self._keyboard:
            target.click()
            return
        self._reach(target)
        self.page.keyboard.press("Enter")

    def follow(self, link: Locator) -> None:
        follow(self.page, link, self.click)

    def type(self, field: Locator, text: str) -> None:
        """Type into a text field, or select an option."""
        if self._keyboard:
            self._reach(field)
            self.page.keyboard.type(text)
        elif field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(text)
        else:
            field.fill(text)

    def _reach(self, target: Locator) -> None:
        """Press Tab or Shift+Tab until the target has a visible focus."""
        expect(target).to_be_visible()
        for _ in range(FURTHEST):
            if target.evaluate("element => element === document.activeElement"):
                outline = target.evaluate("element => getComputedStyle(element).outlineStyle")
                assert outline != "none", f"no visible focus on {target}"
                return
            position = target.evaluate("element => element.compareDocumentPosition(document.activeElement)")
            self.page.keyboard.press("Shift+Tab" if position & FOLLOWING else "Tab")
        pytest.fail(f"{target} can't be reached with Tab")

    def search(self, text: str) -> None:
        self.type(self.page.get_by_label(re.compile("Search films and people")), text)
        self.follow(self.page.get_by_role("search").get_by_role("button", name="Search"))

    def like(self, title: str) -> None:
        """Like a film that isn't liked."""
        button = self.button(title)
        expect(button).to_have_attribute("aria-pressed", "false")
        self.press(button)

    def unlike(self, title: str) -> None:
        button = self.button(title)
        expect(button).to_have_attribute("aria-pressed", "true")
        self.press(button)

    def button(self, title: str) -> Locator:
        return self.page.get_by_role("main").get_by_role("button", name=f"Like {title}", exact=True)

    def press(self, button: Locator) -> None:
        """Press a Like or Undo button, and wait until that is saved."""
        if not self.scripted:
            self.follow(button)
            return
        with self.page.expect_response(re.compile("/like$")) as sent:
            self.click(button)
        assert sent.value.ok


def titles(page: Page) -> list[str]:
    return page.get_by_role("main").locator(".card-title").all_inner_texts()


@pytest.mark.parametrize("mode", MODES)
def test_a_new_user_from_search_to_deletion(tour: Tour, mode: str) -> None:
    person, name = NewUser(tour, mode), new_name()
    film = finds_a_film(person)
    signs_up_to_like_it(person, name, film)
    liked = [film, *likes_the_best(person, film)]
    looks_through_likes(person, liked)
    gets_recommendations(person, liked)
    chooses_by_preferences(person)
    downloads_the_data(person, name, liked)
    deletes_the_account(person, name)


def finds_a_film(person: NewUser) -> str:
    """Despite typos. Returns its title."""
    page = person.page
    person.visit("/")
    person.heading("What shall we watch?")
    person.picture("home")
    person.search("socail netwrok")
    assert titles(page)[0] == "The Social Network"
    person.picture("search-with-typos")
    person.follow(page.get_by_role("main").locator(".card-link").first)
    person.heading("The Social Network")
    person.picture("film")
    return page.get_by_role("heading", level=1).inner_text()


def signs_up_to_like_it(person: NewUser, name: str, film: str) -> None:
    """A visitor's like leads to sign-up and is then saved."""
    page = person.page
    person.follow(page.get_by_role("main").get_by_role("link", name=f"Like {film}", exact=True))
    person.heading("Log in")
    person.follow(page.get_by_role("main").get_by_role("link", name="Sign up"))
    person.type(page.get_by_label("Name"), name)
    person.type(page.get_by_label("Password", exact=True), PASSWORD)
    person.type(page.get_by_label("Confirm password"), PASSWORD)
    person.picture("sign-up")
    person.follow(page.get_by_role("main").get_by_role("button", name="Sign up"))
    expect(person.button(film)).to_have_attribute("aria-pressed", "true")


def likes_the_best(person: NewUser, film: str) -> list[str]:
    """Liked films leave the catalogue and come back with Undo. Returns the liked titles."""
    page = person.page
    person.visit("/catalogue")
    assert film not in titles(page)
    best, *others = titles(page)[:3]
    first = page.get_by_role("main").locator(".card-title").first
    person.picture("catalogue")
    person.like(best)
    expect(first).to_have_text(others[0])
    person.press(page.get_by_role("button", name="Undo"))
    expect(first).to_have_text(best)
    for title in (best, *others):
        person.like(title)
        expect(person.button(title)).to_be_hidden()
    return [best, *others]


def looks_through_likes(person: NewUser, liked: list[str]) -> None:
    """And removes one."""
    person.visit("/likes")
    assert sorted(titles(person.page)) == sorted(liked)
    person.picture("likes")
    person.unlike(liked.pop())
    person.visit("/likes")
    assert sorted(titles(person.page)) == sorted(liked)


def gets_recommendations(person: NewUser, liked: list[str]) -> None:
    person.visit("/for-you")
    person.picture("for-you")
    recommended = titles(person.page)
    assert len(recommended) >= 12
    assert not set(liked) & set(recommended)
    expect(person.page.get_by_role("main").locator(".card-reason").first).to_have_text(re.compile(r"\w"))


def chooses_by_preferences(person: NewUser) -> None:
    page = person.page
    person.visit("/find")
    person.type(page.get_by_label("Genre"), "drama")
    person.type(page.get_by_label("Actor"), "George Clooney")
    person.follow(page.get_by_role("button", name="Show the top 3"))
    assert len(titles(page)) == 3
    person.picture("choose")


def downloads_the_data(person: NewUser, name: str, liked: list[str]) -> None:
    person.visit("/account")
    with person.page.expect_download() as download:
        person.click(person.page.get_by_role("link", name="Download your data"))
    kept = Path(download.value.path()).read_text(encoding="utf-8")
    assert json.loads(kept)["account"]["name"] == name
    assert all(json.dumps(title, ensure_ascii=False) in kept for title in liked)
    assert "argon2" not in kept


def deletes_the_account(person: NewUser, name: str) -> None:
    page = person.page
    person.visit("/account")
    person.follow(page.get_by_role("link", name="Delete account"))
    person.type(page.get_by_label(re.compile("password")).first, PASSWORD)
    person.picture("leave")
    person.follow(page.get_by_role("main").get_by_role("button", name="Delete account"))
    person.visit("/likes")
    person.heading("Log in")
    person.type(page.get_by_label("Name"), name)
    person.type(page.get_by_label("Password", exact=True), PASSWORD)
    person.click(page.get_by_role("main").get_by_role("button", name="Log in"))
    expect(page.get_by_role("alert")).to_have_text("Wrong name or password.")


def test_two_tabs_show_one_state(tour: Tour) -> None:
    """A like in one tab shows in the other, and the last change counts."""
    person = NewUser(tour, "desk")
    sign_up(person.page, person.site, new_name())
    person.visit("/search?q=social+network")
    title = titles(person.page)[0]
    other = person.page.context.new_page()
    other.goto(person.page.url)
    theirs = other.get_by_role("main").get_by_role("button", name=f"Like {title}", exact=True)
    person.like(title)
    expect(theirs).to_have_attribute("aria-pressed", "true")
    with other.expect_response(re.compile("/like$")):
        theirs.click()
    expect(person.button(title)).to_have_attribute("aria-pressed", "false")
    person.visit("/likes")
    assert titles(person.page) == []
