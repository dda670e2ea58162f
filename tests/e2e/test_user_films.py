"""Hearts, the endless catalogue and the account's pages, as only a browser shows them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from test_pages import MODES, faults, faults_of
from tour import PASSWORD, Tour, follow, new_name, sign_up

FEW = "/catalogue?genre=drama&decade=1990"
PAGES = ["/my-films", "/for-you", "/account", "/account/password", "/account/delete"]


@pytest.fixture
def member(tour: Tour) -> Page:
    """A window at the catalogue, of somebody who is logged in."""
    page = tour.window()
    sign_up(page, tour.site.user, new_name())
    page.goto(f"{tour.site.user}/catalogue")
    return page


def titles(page: Page) -> list[str]:
    return page.locator("main .card-title").all_inner_texts()


def ranks(page: Page) -> list[int]:
    return [int(text.split()[-1]) for text in page.locator("main .card-rank").all_inner_texts()]


@pytest.mark.parametrize("mode", MODES)
def test_pages_of_a_member(tour: Tour, mode: str) -> None:
    page = tour.window(**MODES[mode])
    page.goto(tour.site.user + FEW)
    log_in = page.locator("main .heart").first.get_attribute("href")
    assert log_in
    assert list(faults_of(page, tour.site.user, [log_in])) == []
    sign_up(page, tour.site.user, new_name())
    assert list(faults_of(page, tour.site.user, ["/my-films"])) == []
    page.goto(tour.site.user + FEW)
    best = titles(page)[0]
    page.locator("main .heart").first.click()
    expect(page.locator("main .card-title").first).not_to_have_text(best)
    expect(page.locator(".toast")).to_contain_text("is among your films")
    assert faults(page) == []
    follow(page, page.locator("main .card-link").last)
    assert faults(page) == []
    assert list(faults_of(page, tour.site.user, PAGES)) == []


def test_the_catalogue_goes_on_as_one_scrolls_and_is_found_again(member: Page) -> None:
    assert len(titles(member)) == 100
    member.locator(".pager").scroll_into_view_if_needed()
    expect(member.locator("main .card")).to_have_count(200)
    assert ranks(member) == list(range(1, 201))
    assert len(set(titles(member))) == len(titles(member))
    opened = member.locator("main .card-link").nth(150)
    title = opened.locator(".card-title").inner_text()
    follow(member, opened)
    expect(member.get_by_role("heading", level=1)).to_have_text(title)
    with member.expect_navigation(wait_until="load"):
        member.go_back()
    expect(member.locator(".card-link", has=member.get_by_text(title, exact=True)).first).to_be_in_viewport()


def back(page: Page) -> None:
    with page.expect_navigation(wait_until="load"):
        page.go_back()


def like_and_wait(page: Page, heart: Locator) -> None:
    with page.expect_response(re.compile("/like$")):
        heart.click()


def test_ranks_number_what_the_list_shows_and_a_place_is_kept_whatever_is_liked(member: Page) -> None:
    for title in titles(member)[:3]:
        like_and_wait(member, member.get_by_role("button", name=f"Like {title}", exact=True))
        expect(member.get_by_role("button", name=f"Like {title}", exact=True)).to_have_count(0)
    expect(member.locator("main .card")).to_have_count(100)
    expect(member.locator("[rel=next]")).to_have_attribute("href", re.compile("rank=101$"))
    member.locator(".pager").scroll_into_view_if_needed()
    expect(member.locator("main .card")).to_have_count(200)
    assert ranks(member) == list(range(1, 201))
    gone, follower = titles(member)[150:152]

    def card(title: str) -> Locator:
        return member.locator("main .card").filter(has=member.get_by_text(title, exact=True))

    for shown in (gone, follower):  # as it was left; then with the film liked on its own page
        follow(member, card(gone).locator(".card-link"))
        if shown is follower:
            like_and_wait(member, member.locator(".film .heart"))
        back(member)
        expect(member.get_by_role("heading", level=1)).to_have_text("From number 101 on")
        expect(card(shown).locator(".card-rank")).to_have_text(re.compile("151$"))
        expect(card(shown).locator(".card-link")).to_be_in_viewport()
        expect(card(shown).locator(".card-link")).to_be_focused()


def test_without_javascript_there_are_pages(tour: Tour) -> None:
    page = tour.window(java_script_enabled=False)
    page.goto(f"{tour.site.user}/catalogue")
    page.get_by_label("Genre").select_option("drama")
    follow(page, page.get_by_role("button", name="Show"))
    first = titles(page)
    follow(page, page.get_by_role("link", name="More films"))
    assert ranks(page)[0] == 101
    assert not set(first) & set(titles(page))
    follow(page, page.get_by_role("link", name="Back to the first"))
    assert titles(page) == first


def test_by_keyboard_the_focus_goes_on_to_the_film_that_moves_up(member: Page) -> None:
    best, second = titles(member)[:2]
    member.get_by_role("button", name=f"Like {best}", exact=True).focus()
    member.keyboard.press("Enter")
    expect(member.get_by_role("button", name=f"Like {second}", exact=True)).to_be_focused()
    expect(member.locator("main .card")).to_have_count(100)
    assert ranks(member) == list(range(1, 101))
    member.keyboard.press("Tab")
    expect(member.get_by_role("button", name="Undo")).to_be_focused()
    with member.expect_response(lambda answer: "like=no" in (answer.request.post_data or "")):
        member.keyboard.press("Enter")
    expect(member.get_by_role("button", name=f"Like {best}", exact=True)).to_be_focused()
    expect(member.locator("main .card")).to_have_count(100)
    assert ranks(member) == list(range(1, 101))
    member.reload()
    assert titles(member)[0] == best


def test_a_double_click_is_one_like(member: Page) -> None:
    best = titles(member)[0]
    with member.expect_response(re.compile("/like$")):
        member.locator("main .heart").first.dblclick()
    expect(member.locator("main .card-title").first).not_to_have_text(best)
    expect(member.locator(".toast")).to_contain_text(f"“{best}” is among your films.")
    follow(member, member.get_by_role("link", name="My films"))
    assert titles(member) == [best]


def test_a_heart_pressed_again_while_its_film_leaves_is_as_it_was(member: Page) -> None:
    best = member.locator("main .card").filter(has=member.get_by_text(titles(member)[0], exact=True))
    with member.expect_response(lambda answer: "like=no" in (answer.request.post_data or "")):
        best.locator(".heart").evaluate("heart => { heart.click(); heart.click() }")
    expect(best.locator(".heart")).to_have_attribute("aria-pressed", "false")
    expect(best).not_to_have_class(re.compile("card-leaving"))


def test_a_key_held_down_likes_one_film(member: Page) -> None:
    best, second = titles(member)[:2]
    member.get_by_role("button", name=f"Like {best}", exact=True).focus()
    member.keyboard.down("Enter")
    heart = member.get_by_role("button", name=f"Like {second}", exact=True)
    expect(heart).to_be_focused()
    member.keyboard.down("Enter")
    member.keyboard.up("Enter")
    expect(heart).to_have_attribute("aria-pressed", "false")
    expect(heart).to_be_visible()


@pytest.mark.parametrize(
    ("status", "says"), [(401, "log in first"), (429, "Wait a minute"), (503, "saved. Try again.")]
)
def test_a_heart_that_is_refused_is_as_before_in_every_tab(tour: Tour, member: Page, status: int, says: str) -> None:
    second = member.context.new_page()
    second.goto(f"{tour.site.user}/catalogue")
    second.evaluate("() => { window.heard = []; window.channel = new BroadcastChannel('film-library-hearts') }")
    second.evaluate("() => channel.addEventListener('message', ({ data }) => heard.push(data.liked))")
    answers = iter([{"status": status, "json": {"log_in": "#"}}])  # then the real ones
    member.route(
        re.compile("/like$"), lambda route: route.fulfill(**a) if (a := next(answers, None)) else route.continue_()
    )
    heart = member.locator("main .heart").first
    heart.click()
    expect(member.locator(".toast")).to_contain_text(says)
    expect(heart).to_have_attribute("aria-pressed", "false")
    heart.click()
    second.wait_for_function("() => heard.length > 0")
    assert second.evaluate("() => heard") == [True]
    tour.complaints.clear()  # of the request that was refused


def test_a_heart_that_is_not_saved_is_taken_back_and_said(tour: Tour, member: Page) -> None:
    best = titles(member)[0]

    def fail(route: Route) -> None:
        expect(member.locator("main .card-title").first).not_to_have_text(best)  # shown before it is saved
        route.abort()

    member.route(re.compile("/like$"), fail)
    member.locator("main .heart").first.click()
    expect(member.locator(".toast")).to_contain_text("saved. Try again.")
    expect(member.locator("main .card-title").first).to_have_text(best)
    expect(member.locator("main .heart").first).to_have_attribute("aria-pressed", "false")
    tour.complaints.clear()  # of the request that failed


def test_of_two_presses_that_fail_the_last_saved_state_is_shown(tour: Tour, member: Page) -> None:
    follow(member, member.locator("main .card-link").first)
    member.route(re.compile("/like$"), lambda route: route.abort())
    heart = member.locator(".film .heart")
    heart.evaluate("heart => { heart.click(); heart.click() }")
    expect(member.locator(".toast")).to_contain_text("saved. Try again.")
    expect(heart).to_have_attribute("aria-pressed", "false")
    tour.complaints.clear()  # of the requests that failed


def test_a_late_answer_neither_takes_the_focus_nor_holds_up_what_was_pressed_since(tour: Tour, member: Page) -> None:
    held: list[Route] = []
    best = titles(member)[0]
    member.route(re.compile("/like$"), lambda route: held.append(route))  # noqa: PLW0108 - Playwright looks into the function
    with member.expect_request(re.compile("/like$")):
        member.locator("main .heart").first.click()
    search = member.get_by_label(re.compile("Search films and people"))
    expect(member.locator("main .card-title").first).not_to_have_text(best)
    search.focus()
    held.pop().abort()
    expect(member.locator(".toast")).to_contain_text("saved. Try again.")
    expect(search).to_be_focused()

    follow(member, member.locator("main .card-link").first)
    heart = member.locator(".film .heart")
    with member.expect_request(lambda request: "like=yes" in (request.post_data or "")):
        heart.click()
    heart.evaluate("heart => heart.click()")
    with member.expect_request(lambda request: "like=no" in (request.post_data or "")):
        member.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    tour.complaints.clear()  # of the request that failed


def test_a_heart_after_the_session_has_ended_leads_to_the_log_in_page(tour: Tour, member: Page) -> None:
    best = titles(member)[0]
    other = member.context.new_page()
    other.goto(f"{tour.site.user}/account")
    follow(other, other.get_by_role("button", name="Log out"))
    member.locator("main .heart").first.click()
    expect(member.get_by_text(f"Then “{best}” will be among your films.")).to_be_visible()
    tour.complaints.clear()  # of the request that was refused


def test_a_film_taken_out_of_my_films_can_be_put_back(member: Page) -> None:
    follow(member, member.locator("main .card-link").first)
    heart = member.locator(".film .heart")
    with member.expect_response(re.compile("/like$")):
        heart.click()
    expect(heart).to_have_attribute("aria-pressed", "true")
    follow(member, member.get_by_role("link", name="My films"))
    with member.expect_response(re.compile("/like$")):
        member.locator("main .heart").click()
    expect(member.locator("main .card")).to_have_count(0)
    expect(member.get_by_text("No film yet.")).to_be_visible()
    expect(member.get_by_role("heading", name="Your taste")).to_have_count(0)
    with member.expect_response(re.compile("/like$")):
        member.get_by_role("button", name="Undo").click()
    expect(member.locator("main .card")).to_have_count(1)
    expect(member.locator(".result-count")).to_have_text("1 film")
    member.reload()
    expect(member.locator("main .card")).to_have_count(1)


def test_a_password_is_judged_while_it_is_typed_and_then_changed(tour: Tour, member: Page) -> None:
    member.goto(f"{tour.site.user}/account/password")
    new = member.get_by_label("New password", exact=True)
    verdict = member.locator(".field-verdict")
    new.fill("sunshine1")
    expect(verdict).to_contain_text("very common password")
    new.fill("four blind mice 1928")
    expect(verdict).to_have_text("A good password.")
    member.route(re.compile("/password-hint$"), lambda route: route.fulfill(status=429))
    new.fill("sunshine1")
    expect(verdict).to_have_text("")
    member.unroute(re.compile("/password-hint$"))
    new.fill("four blind mice 1928")
    expect(verdict).to_have_text("A good password.")
    member.get_by_label("Present password").fill(PASSWORD)
    member.get_by_label("New password again").fill("four blind mice 1928")
    follow(member, member.get_by_role("button", name="Change the password"))
    expect(member.get_by_role("main").get_by_role("status")).to_contain_text("Your password is changed")
    tour.complaints.clear()  # of the question that was refused
