"""Search in a real browser: suggestions by keyboard and mouse, facets, and preferences."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from test_pages import MODES, faults
from tour import PHONE, Tour, follow

LAYOUT_SHIFT = """() => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => done(sum)));
})"""


def box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search films and people")


def options(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def heading(page: Page, name: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def test_suggestions_by_keyboard(tour: Tour) -> None:
    page = tour.window()
    page.goto(tour.site.user)
    box(page).press_sequentially("social net")
    expect(options(page)).to_have_text(["The Social Network2010"])
    expect(box(page)).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_text("1 suggestion, use the arrow keys")).to_be_attached()
    assert box(page).get_attribute("aria-activedescendant") is None, "nothing is preselected"

    page.keyboard.press("Escape")
    expect(options(page)).to_be_hidden()
    expect(box(page)).to_have_value("social net")
    page.keyboard.press("ArrowDown")  # opens again
    expect(options(page)).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(options(page)).to_have_attribute("aria-selected", "true")
    marked = options(page).get_attribute("id")
    expect(box(page)).to_have_attribute("aria-activedescendant", str(marked))
    with page.expect_navigation():
        page.keyboard.press("Enter")
    heading(page, "The Social Network")


def test_enter_without_a_suggestion_searches(tour: Tour) -> None:
    page = tour.window()
    page.goto(f"{tour.site.user}/catalogue")
    box(page).press_sequentially("social net")
    expect(options(page)).to_be_visible()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    heading(page, re.compile("Films for .*social net"))


def test_a_person_is_suggested_and_chosen_with_the_mouse(tour: Tour) -> None:
    page = tour.window()
    page.goto(tour.site.user)
    box(page).press_sequentially("david finch")
    follow(page, options(page).filter(has_text="David Fincher"))
    heading(page, "David Fincher")
    expect(page.get_by_role("link", name="The Social Network").first).to_be_visible()


def test_facets_load_without_layout_shift(tour: Tour) -> None:
    page = tour.window()
    page.goto(f"{tour.site.user}/search?q=the")
    genre = page.get_by_role("region", name="Genre")
    expect(genre).to_be_visible()
    assert page.evaluate(LAYOUT_SHIFT) < 0.01
    link = genre.get_by_role("link").first
    words, count = link.locator(".facet-value").inner_text(), link.locator(".facet-count").inner_text()
    follow(page, link)
    expect(page.get_by_role("list", name="Filters")).to_contain_text(words)
    assert int(re.sub(r"\D", "", count)) > 0
    follow(page, page.get_by_role("link", name=f"Remove the filter {words}").first)
    expect(page).to_have_url(re.compile(r"/search\?q=the$"))


def test_facets_show_more_on_request(tour: Tour) -> None:
    page = tour.window()
    page.goto(f"{tour.site.user}/search?q=the")
    genre = page.get_by_role("region", name="Genre")
    links = genre.get_by_role("link")
    expect(links).to_have_count(8)
    assert page.locator(".facets > details > summary").evaluate("e => getComputedStyle(e).pointerEvents") == "none"
    genre.get_by_text("more").click()
    expect(links.nth(8)).to_be_visible()
    cut = page.locator(".facets ul").evaluate_all(
        "all => all.filter((e) => e.scrollHeight > e.clientHeight + 1).length"
    )
    assert cut == 0, "no list has its own scroll bar"


def test_facets_on_a_phone_load_on_request(tour: Tour) -> None:
    page = tour.window(viewport=PHONE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{tour.site.user}/search?q=the")
    assert not [url for url in asked if "facets?" in url]
    page.get_by_text("Narrow down").click()
    expect(page.get_by_role("region", name="Genre")).to_be_visible()


def test_facets_without_javascript(tour: Tour) -> None:
    page = tour.window(java_script_enabled=False)
    page.goto(f"{tour.site.user}/search?q=the")
    page.get_by_text("Narrow down").click()
    follow(page, page.get_by_role("link", name="By type, genre, decade or country"))
    expect(page.get_by_role("region", name="Genre")).to_be_visible()
    follow(page, page.get_by_role("region", name="Genre").get_by_role("link").first)
    expect(page.get_by_role("region", name="Decade")).to_be_visible()  # still open


def test_choosing_by_actor_and_genre(tour: Tour) -> None:
    page = tour.window()
    page.goto(f"{tour.site.user}/find")
    actor = page.get_by_role("combobox", name="Actor")
    actor.press_sequentially("tom hank")
    expect(options(page)).to_have_text([re.compile("Tom Hanks")])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(actor).to_have_value("Tom Hanks")
    page.get_by_label("Genre").select_option("drama")
    follow(page, page.get_by_role("button", name="Show the top 3"))
    assert "director" not in page.url, "the address leaves out empty preferences"
    expect(page.get_by_role("heading", level=2)).to_have_text("Films and series: drama, with Tom Hanks")
    expect(page.locator(".card")).to_have_count(3)
    # Typing another name clears the person chosen before.
    actor.fill("Meryl Streep")
    follow(page, page.get_by_role("button", name="Show the top 3"))
    expect(page.get_by_role("heading", level=2)).to_have_text("Films and series: drama, with Meryl Streep")


@pytest.mark.parametrize("mode", MODES)
def test_search_pages_have_no_faults(tour: Tour, mode: str) -> None:
    page = tour.window(**MODES[mode])
    page.goto(tour.site.user)
    box(page).press_sequentially("star")
    expect(options(page).first).to_be_visible()
    page.keyboard.press("ArrowDown")
    assert faults(page) == []
    page.goto(f"{tour.site.user}/search?q=david+fincher")
    follow(page, page.get_by_role("link", name="David Fincher"))
    assert faults(page) == []
    for path in (
        "/search?q=the&facets=yes",
        "/search?q=sociel+netwrok",
        "/find?genre=comedy&actor=zzz",
        "/find?genre=drama",
    ):
        page.goto(tour.site.user + path)
        assert faults(page) == [], path
