"""The first screen of a phone, and tablet layouts."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from tour import PHONE, Tour, follow, new_name, sign_up

FILM = "/films/Q185888"  # The Social Network
HEADER = 170  # pixels: rows for name and account, search, and navigation

# A text split into lines, as the browser wraps it.
LINES = """(elements) => elements.map((element) => {
  const text = element.firstChild, lines = [];
  const range = document.createRange();
  for (let place = 0; place < text.length; place++) {
    range.setStart(text, place);
    range.setEnd(text, place + 1);
    const top = range.getBoundingClientRect().top;
    if (!lines.length || Math.abs(lines.at(-1).top - top) > 4) lines.push({ top, text: "" });
    lines.at(-1).text += text.data[place];
  }
  return lines.map((line) => line.text);
})"""


@pytest.fixture
def phone(tour: Tour) -> Page:
    return tour.window(viewport=PHONE)


@pytest.mark.parametrize("known", [False, True], ids=["visitor", "member"])
def test_the_header_leaves_room_for_the_page(tour: Tour, phone: Page, known: bool) -> None:
    if known:
        sign_up(phone, tour.site.user, new_name())
    for path in ("/", FILM):
        phone.goto(tour.site.user + path)
        header = phone.get_by_role("banner")
        assert header.bounding_box()["height"] <= HEADER, path  # type: ignore[index]  # it is in view
        expect(header.get_by_text("Film Library")).to_be_in_viewport()
        account, name = phone.get_by_role("navigation", name="Account"), header.get_by_role("link", name="Film Library")
        assert abs(account.bounding_box()["y"] - name.bounding_box()["y"]) < 5, path  # type: ignore[index]  # both are in view
        pages = phone.get_by_role("navigation", name="Site").bounding_box()
        assert pages is not None
        assert pages["x"] < 30, "the navigation starts at the left edge"


def test_tablets_have_room_for_search_and_account(tour: Tour) -> None:
    page = tour.window(viewport={"width": 768, "height": 700})
    _look_at_header(page, tour.site.user + FILM)
    sign_up(page, tour.site.user, f"{new_name()}_with_a_long_name")
    _look_at_header(page, page.url)
    page.set_viewport_size({"width": 1024, "height": 700})
    _look_at_header(page, tour.site.user + FILM)


def _look_at_header(page: Page, address: str) -> None:
    page.goto(address)
    header = page.get_by_role("banner")
    parts = [
        header.get_by_role("link", name="Film Library"),
        header.get_by_role("navigation", name="Account"),
        header.get_by_role("navigation", name="Site"),
        page.locator("main, header").get_by_role("combobox"),
    ]
    name, account, pages, search = [box for part in parts if (box := part.bounding_box())]
    assert abs(account["y"] - name["y"]) < 5
    assert account["x"] + account["width"] > page.viewport_size["width"] - 70  # type: ignore[index]  # it has one
    assert pages["height"] < 60, "in one line"
    assert search["width"] > 200


def test_the_results_are_in_view(tour: Tour, phone: Page) -> None:
    phone.goto(f"{tour.site.user}/find")
    phone.get_by_label("Genre").select_option("drama")
    follow(phone, phone.get_by_role("button", name="Show the top 3"))
    expect(phone.get_by_role("heading", name="Films and series: drama")).to_be_in_viewport()
    expect(phone.locator(".card").first).to_be_in_viewport()


def test_a_film_is_beside_its_poster_and_the_like_button_has_a_label(tour: Tour, phone: Page) -> None:
    sign_up(phone, tour.site.user, new_name())
    phone.goto(tour.site.user + FILM)
    line = phone.locator(".like-line")
    for part in (phone.get_by_role("heading", level=1), phone.locator(".film-poster"), line):
        expect(part).to_be_in_viewport(ratio=1)
    button, words = line.locator(".like"), line.locator("> span:visible")
    expect(words).to_have_text("Like")
    with phone.expect_response(lambda answer: answer.url.endswith("/like")):
        button.click()
    expect(words).to_have_text("Liked")


def test_words_are_not_broken(tour: Tour, phone: Page) -> None:
    phone.goto(f"{tour.site.user}/catalogue?rank=200")
    for lines in phone.locator(".card-title").evaluate_all(LINES):
        assert all(line.endswith((" ", "-", "\u2013", "\u00ad")) for line in lines[:-1]), lines
