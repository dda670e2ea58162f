"""Records in a real browser: in dialogs, without JavaScript, and by keyboard only."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from test_pages import MODES, faults
from tour import PASSWORD, PHONE, Tour, follow, log_in

MOVIES = "/collections/movies"


@pytest.fixture
def boss(tour: Tour) -> Page:
    page = tour.window()
    log_in(page, tour.site.admin, "boss")
    page.goto(f"{tour.site.admin}{MOVIES}")
    return page


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def rows(page: Page) -> Locator:
    return page.get_by_role("rowheader")


def expect_complaint(tour: Tour, text: str) -> None:
    """Clear the one browser error that the test has provoked."""
    assert [text in complaint for complaint in tour.complaints] == [True]
    tour.complaints.clear()


def add_film(page: Page, title: str) -> None:
    """Through the dialog on the list of movies."""
    page.get_by_role("link", name="New film").click()
    dialog(page).get_by_label("Title (required)").fill(title)
    dialog(page).get_by_label("Type (required)").select_option("MOVIE")
    dialog(page).get_by_label("Year").fill("2026")
    with page.expect_navigation():
        dialog(page).get_by_role("button", name="Add film").click()
    expect(page.get_by_role("status").filter(has_text="The film has been added.")).to_be_visible()


def only(page: Page, title: str) -> None:
    """Open the list of films with this title."""
    page.goto(f"{page.url.split('/collections')[0]}{MOVIES}?filter=title.eq.{title}")


def test_a_film_is_added_edited_and_deleted_in_dialogs(boss: Page, tour: Tour) -> None:
    title = "Made in a dialog"
    add_film(boss, title)
    only(boss, title)
    rows(boss).get_by_role("link").click()
    expect(dialog(boss).get_by_role("heading", name=title)).to_be_focused()
    dialog(boss).get_by_role("link", name="Edit", exact=True).click()

    year = dialog(boss).get_by_label("Year")
    year.fill("soon")
    dialog(boss).get_by_label("Minutes").fill("90")
    dialog(boss).get_by_role("button", name="Save").click()
    expect(year).to_be_focused()
    expect(year).to_have_accessible_description("Year must be a whole number.")
    expect(year).to_have_value("soon")
    expect(dialog(boss).get_by_label("Minutes")).to_have_value("90")
    expect_complaint(tour, "/edit: 422")
    year.fill("2025")
    with boss.expect_navigation():
        dialog(boss).get_by_role("button", name="Save").click()
    expect(boss.get_by_text("Your changes have been saved.")).to_be_visible()
    expect(boss.get_by_role("row", name=title)).to_contain_text("2025")

    rows(boss).get_by_role("link").click()
    dialog(boss).get_by_role("link", name="Delete").click()
    expect(dialog(boss)).to_contain_text("No other records refer to it.")
    with boss.expect_navigation():
        dialog(boss).get_by_role("button", name="Delete film").click()
    expect(boss.get_by_text("No records match this condition.")).to_be_visible()


def test_closing_a_dialog_with_changes_asks_first(boss: Page) -> None:
    boss.get_by_role("link", name="New film").click()
    dialog(boss).get_by_label("Title (required)").fill("Half typed")
    questions: list[str] = []
    boss.once("dialog", lambda question: (questions.append(question.message), question.dismiss()))
    boss.keyboard.press("Escape")
    expect(dialog(boss).get_by_label("Title (required)")).to_have_value("Half typed")
    assert questions == ["Discard your changes?"]
    boss.once("dialog", lambda question: question.accept())
    dialog(boss).get_by_role("button", name="Close").click()
    expect(dialog(boss)).to_be_hidden()
    expect(boss.get_by_role("link", name="New film")).to_be_focused()


def test_a_dialog_keeps_the_input_when_offline(boss: Page, tour: Tour) -> None:
    boss.get_by_role("link", name="New film").click()
    dialog(boss).get_by_label("Title (required)").fill("Kept")
    boss.context.set_offline(True)
    dialog(boss).get_by_role("button", name="Add film").click()
    expect(dialog(boss).get_by_role("alert")).to_contain_text("Nothing you typed is lost")
    expect(dialog(boss).get_by_label("Title (required)")).to_have_value("Kept")
    boss.context.set_offline(False)
    expect_complaint(tour, "ERR_INTERNET_DISCONNECTED")


def test_a_dialog_keeps_the_input_when_the_session_ends(boss: Page, tour: Tour) -> None:
    boss.get_by_role("link", name="New film").click()
    dialog(boss).get_by_label("Title (required)").fill("Typed before")
    dialog(boss).get_by_label("Type (required)").select_option("MOVIE")
    boss.context.clear_cookies()
    dialog(boss).get_by_role("button", name="Add film").click()
    expect(dialog(boss).get_by_role("alert")).to_contain_text("Your session has ended")
    expect(dialog(boss).get_by_label("Title (required)")).to_have_value("Typed before")
    with boss.expect_popup() as opened:
        dialog(boss).get_by_role("link", name="Log in in a new tab").click()
    opened.value.get_by_label("Name").fill("boss")
    opened.value.get_by_label("Password", exact=True).fill(PASSWORD)
    opened.value.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(opened.value.get_by_role("link", name="New film")).to_be_visible()
    with boss.expect_navigation():
        dialog(boss).get_by_role("button", name="Add film").click()
    expect(boss.get_by_role("status").filter(has_text="The film has been added.")).to_be_visible()
    assert {complaint.rsplit(maxsplit=1)[-1] for complaint in tour.complaints} == {"401"}
    tour.complaints.clear()


def test_two_administrators_edit_one_film(tour: Tour, boss: Page) -> None:
    add_film(boss, "Twice edited")
    only(boss, "Twice edited")
    other = boss.context.new_page()
    other.goto(boss.url)
    for page in (boss, other):
        rows(page).get_by_role("link").click()
        dialog(page).get_by_role("link", name="Edit", exact=True).click()
    dialog(other).get_by_label("Year").fill("2001")
    dialog(other).get_by_label("Minutes").fill("80")
    with other.expect_navigation():
        dialog(other).get_by_role("button", name="Save").click()
    dialog(boss).get_by_label("Year").fill("2002")
    dialog(boss).get_by_label("Seasons").fill("3")
    dialog(boss).get_by_role("button", name="Save").click()
    expect(dialog(boss).get_by_role("alert")).to_contain_text("Someone changed this record while you were editing it")
    expect_complaint(tour, "/edit: 409")
    expect(dialog(boss).get_by_label("Minutes")).to_have_value("80")
    expect(dialog(boss).get_by_label("Seasons")).to_have_value("3")
    dialog(boss).get_by_label("Keep theirs: 2001").check()
    with boss.expect_navigation():
        dialog(boss).get_by_role("button", name="Save").click()
    expect(boss.get_by_role("row", name="Twice edited")).to_contain_text(re.compile("2001.*80"))


def test_a_reference_is_picked_by_keyboard(boss: Page, tour: Tour) -> None:
    boss.goto(f"{tour.site.admin}/collections/credits")
    boss.get_by_role("link", name="New credit").click()
    film = dialog(boss).get_by_label("Film (required)")
    found = dialog(boss).get_by_role("listbox", name="Suggestions")
    film.press_sequentially("social netw")
    expect(found.get_by_role("option")).to_have_text(["The Social Network (2010)"])
    expect(film).to_have_attribute("aria-expanded", "true")
    boss.keyboard.press("Escape")  # closes the list, not the dialog
    expect(found.get_by_role("option")).to_be_hidden()
    film.press_sequentially("o")
    expect(found.get_by_role("option")).to_be_visible()
    boss.keyboard.press("ArrowDown")
    expect(found.get_by_role("option", selected=True)).to_have_text("The Social Network (2010)")
    boss.keyboard.press("Enter")
    expect(film).to_have_value(re.compile("^Q[0-9]+$"))
    expect(film).to_have_accessible_description("The Social Network (2010)")


def test_scrolling_loads_more_rows(boss: Page, tour: Tour) -> None:
    boss.goto(f"{tour.site.admin}{MOVIES}?sort=title&rows=25")
    expect(rows(boss)).to_have_count(25)
    area = boss.get_by_role("region", name="Movies")
    for count in (50, 75):
        area.evaluate("area => area.scrollTo(0, area.scrollHeight)")
        expect(rows(boss)).to_have_count(count)
        expect(boss.get_by_role("status").filter(has_text=f"{count} shown")).to_be_visible()
    titles = rows(boss).all_inner_texts()
    assert titles == sorted(titles)
    assert len(set(titles)) == 75
    boss.get_by_label("Select all shown").check()
    expect(boss.get_by_text("With 75 selected:")).to_be_visible()
    expect(boss).to_have_url(re.compile("after="))  # so that a reload comes back here
    with boss.expect_navigation():
        boss.get_by_role("link", name="Next").first.click()
    assert rows(boss).first.inner_text() > titles[-1]


def test_the_filter_form_fits_the_field(boss: Page, tour: Tour) -> None:
    boss.get_by_text("Filter", exact=True).click()
    boss.get_by_label("Field", exact=True).select_option(label="Year")
    comparison = boss.get_by_label("Comparison")
    assert "contains" not in comparison.locator("option:enabled").all_inner_texts()
    comparison.select_option("between")
    boss.get_by_label("Value", exact=True).fill("1990")
    boss.get_by_label("and (end)").fill("1999")
    with boss.expect_navigation():
        boss.get_by_role("button", name="Add condition").click()
    expect(boss.get_by_role("link", name="Change: Year is between 1990 and 1999")).to_be_visible()
    boss.get_by_text("Filter", exact=True).click()
    boss.get_by_label("Field", exact=True).select_option(label="Type")
    comparison.select_option("eq")
    boss.get_by_label("Value", exact=True).select_option("MOVIE")
    with boss.expect_navigation():
        boss.get_by_role("button", name="Add condition").click()
    expect(boss).to_have_url(re.compile("filter=release_year.between.1990..1999&filter=type.eq.MOVIE"))
    with boss.expect_navigation():
        boss.get_by_role("link", name="Change: Year is between 1990 and 1999").click()
    expect(boss.get_by_label("Value", exact=True)).to_have_value("1990")
    expect(boss.get_by_label("and (end)")).to_have_value("1999")


def test_everything_works_without_javascript(tour: Tour) -> None:
    page = tour.window(java_script_enabled=False, viewport=PHONE)
    log_in(page, tour.site.admin, "boss")
    page.goto(f"{tour.site.admin}{MOVIES}")
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Field", exact=True).select_option(label="Title")
    page.get_by_label("Comparison").select_option("eq")
    page.get_by_label("Value", exact=True).fill("The Social Network")
    page.get_by_role("button", name="Add condition").click()
    expect(rows(page)).to_have_text(["The Social Network"])
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("Genres").uncheck()
    page.locator(".tool[open]").get_by_role("button", name="Apply").click()
    expect(page.get_by_role("columnheader", name="Genres")).to_be_hidden()
    page.get_by_text("Views", exact=True).click()
    page.get_by_label("Save this list as").fill("Social")
    follow(page, page.get_by_role("button", name="Save", exact=True))
    page.goto(f"{tour.site.admin}{MOVIES}")
    page.get_by_text("Views (1)", exact=True).click()
    page.get_by_role("link", name="Social", exact=True).click()
    rows(page).get_by_role("link").click()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Seasons").fill("-1")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Seasons")).to_have_accessible_description("Seasons must be at least 0.")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete film").click()
    expect(page.get_by_role("alert")).to_contain_text("Other records refer to this one.")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name=re.compile("^[0-9]+ credits$")).click()
    expect(page.get_by_role("heading", level=1, name="Credits")).to_be_visible()


def test_a_record_by_keyboard_only(boss: Page, tour: Tour) -> None:
    only(boss, "Gravity")
    rows(boss).get_by_role("link").focus()
    boss.keyboard.press("Enter")
    expect(dialog(boss).get_by_role("heading", name="Gravity")).to_be_focused()
    boss.keyboard.press("Tab")
    expect(dialog(boss).get_by_role("link", name="Edit", exact=True)).to_be_focused()
    boss.keyboard.press("Enter")
    expect(dialog(boss).get_by_role("heading", name="Edit Gravity")).to_be_focused()
    boss.keyboard.press("Tab")
    expect(dialog(boss).get_by_label("Title (required)")).to_be_focused()
    for _ in range(60):  # the focus stays in the dialog, or moves to the browser's controls
        boss.keyboard.press("Tab")
        assert boss.evaluate(
            "() => document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    boss.keyboard.press("Escape")
    expect(dialog(boss)).to_be_hidden()
    expect(rows(boss).get_by_role("link")).to_be_focused()


@pytest.mark.parametrize("mode", MODES)
def test_dialogs_and_tools_have_no_faults(tour: Tour, mode: str) -> None:
    page = tour.window(**MODES[mode])
    log_in(page, tour.site.admin, "boss")
    only(page, "Gravity")
    for summary in page.locator("summary").all():
        summary.click()
    assert faults(page) == []
    rows(page).get_by_role("link").click()
    expect(dialog(page).get_by_role("heading", name="Gravity")).to_be_visible()
    assert faults(page) == []
    page.goto(f"{tour.site.admin}/collections/credits/new")
    page.get_by_label("Film (required)").press_sequentially("star")
    page.get_by_role("listbox", name="Suggestions").wait_for()
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add credit").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert faults(page) == []  # with the errors shown
