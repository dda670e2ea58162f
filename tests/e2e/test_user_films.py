"""Likes, the infinite catalogue and the account pages, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from test_pages import MODES, faults, faults_of
from tour import PASSWORD, Tour, follow, new_name, sign_up

FEW = "/catalogue?genre=drama&decade=1990"
PAGES = ["/likes", "/for-you", "/account", "/account/password", "/account/delete"]


@pytest.fixture
def member(tour: Tour) -> Page:
    """A logged-in user at the catalogue."""
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
    log_in = page.locator("main .like").first.get_attribute("href")
    assert log_in
    assert list(faults_of(page, tour.site.user, [log_in])) == []
    sign_up(page, tour.site.user, new_name())
    assert list(faults_of(page, tour.site.user, ["/likes"])) == []
    page.goto(tour.site.user + FEW)
    best = titles(page)[0]
    page.locator("main .like").first.click()
    expect(page.locator("main .card-title").first).not_to_have_text(best)
    expect(page.locator(".toast")).to_contain_text("was added to your likes")
    assert faults(page) == []
    follow(page, page.locator("main .card-link").last)
    assert faults(page) == []
    assert list(faults_of(page, tour.site.user, PAGES)) == []


def test_scrolling_loads_more_films_and_going_back_finds_the_place(member: Page) -> None:
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


def like_and_wait(page: Page, button: Locator) -> None:
    with page.expect_response(re.compile("/like$")):
        button.click()


def test_ranks_and_places_stay_right_after_likes(member: Page) -> None:
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

    for shown in (gone, follower):  # unchanged; then with the film liked on its page
        follow(member, card(gone).locator(".card-link"))
        if shown is follower:
            like_and_wait(member, member.locator(".film .like"))
        back(member)
        expect(member.get_by_role("heading", level=1)).to_have_text("From number 101")
        expect(card(shown).locator(".card-rank")).to_have_text(re.compile("151$"))
        expect(card(shown).locator(".card-link")).to_be_in_viewport()
        expect(card(shown).locator(".card-link")).to_be_focused()


def test_without_javascript_there_are_pages(tour: Tour) -> None:
    page = tour.window(java_script_enabled=False)
    page.goto(f"{tour.site.user}/catalogue")
    page.get_by_label("Genre").select_option("drama")
    follow(page, page.get_by_role("button", name="Apply"))
    first = titles(page)
    follow(page, page.get_by_role("link", name="More films"))
    assert ranks(page)[0] == 101
    assert not set(first) & set(titles(page))
    follow(page, page.get_by_role("link", name="Back to the first page"))
    assert titles(page) == first


def test_by_keyboard_the_focus_moves_to_the_next_film(member: Page) -> None:
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
        member.locator("main .like").first.dblclick()
    expect(member.locator("main .card-title").first).not_to_have_text(best)
    expect(member.locator(".toast")).to_contain_text(f"“{best}” was added to your likes.")
    follow(member, member.get_by_role("link", name="Your likes"))
    assert titles(member) == [best]


def test_a_like_pressed_again_while_its_card_leaves_is_undone(member: Page) -> None:
    best = member.locator("main .card").filter(has=member.get_by_text(titles(member)[0], exact=True))
    with member.expect_response(lambda answer: "like=no" in (answer.request.post_data or "")):
        best.locator(".like").evaluate("button => { button.click(); button.click() }")
    expect(best.locator(".like")).to_have_attribute("aria-pressed", "false")
    expect(best).not_to_have_class(re.compile("card-leaving"))


def test_a_key_held_down_likes_one_film(member: Page) -> None:
    best, second = titles(member)[:2]
    member.get_by_role("button", name=f"Like {best}", exact=True).focus()
    member.keyboard.down("Enter")
    button = member.get_by_role("button", name=f"Like {second}", exact=True)
    expect(button).to_be_focused()
    member.keyboard.down("Enter")
    member.keyboard.up("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(button).to_be_visible()


@pytest.mark.parametrize(
    ("status", "says"), [(401, "log in first"), (429, "Wait a minute"), (503, "saved. Try again.")]
)
def test_a_refused_like_is_reverted_in_every_tab(tour: Tour, member: Page, status: int, says: str) -> None:
    second = member.context.new_page()
    second.goto(f"{tour.site.user}/catalogue")
    second.evaluate("() => { window.heard = []; window.channel = new BroadcastChannel('film-library-likes') }")
    second.evaluate("() => channel.addEventListener('message', ({ data }) => heard.push(data.liked))")
    answers = iter([{"status": status, "json": {"log_in": "#"}}])  # then the real ones
    member.route(
        re.compile("/like$"), lambda route: route.fulfill(**a) if (a := next(answers, None)) else route.continue_()
    )
    button = member.locator("main .like").first
    button.click()
    expect(member.locator(".toast")).to_contain_text(says)
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    second.wait_for_function("() => heard.length > 0")
    assert second.evaluate("() => heard") == [True]
    tour.complaints.clear()  # of the request that was refused


def test_a_failed_like_is_reverted_with_a_message(tour: Tour, member: Page) -> None:
    best = titles(member)[0]

    def fail(route: Route) -> None:
        expect(member.locator("main .card-title").first).not_to_have_text(best)  # shown before it is saved
        route.abort()

    member.route(re.compile("/like$"), fail)
    member.locator("main .like").first.click()
    expect(member.locator(".toast")).to_contain_text("saved. Try again.")
    expect(member.locator("main .card-title").first).to_have_text(best)
    expect(member.locator("main .like").first).to_have_attribute("aria-pressed", "false")
    tour.complaints.clear()  # of the request that failed


def test_after_two_failures_the_saved_state_is_shown(tour: Tour, member: Page) -> None:
    follow(member, member.locator("main .card-link").first)
    member.route(re.compile("/like$"), lambda route: route.abort())
    button = member.locator(".film .like")
    button.evaluate("button => { button.click(); button.click() }")
    expect(member.locator(".toast")).to_contain_text("saved. Try again.")
    expect(button).to_have_attribute("aria-pressed", "false")
    tour.complaints.clear()  # of the requests that failed


def test_a_late_answer_keeps_the_focus_and_later_likes(tour: Tour, member: Page) -> None:
    held: list[Route] = []
    best = titles(member)[0]
    member.route(re.compile("/like$"), lambda route: held.append(route))  # noqa: PLW0108 - Playwright inspects the function
    with member.expect_request(re.compile("/like$")):
        member.locator("main .like").first.click()
    search = member.get_by_label(re.compile("Search films and people"))
    expect(member.locator("main .card-title").first).not_to_have_text(best)
    search.focus()
    held.pop().abort()
    expect(member.locator(".toast")).to_contain_text("saved. Try again.")
    expect(search).to_be_focused()

    follow(member, member.locator("main .card-link").first)
    button = member.locator(".film .like")
    with member.expect_request(lambda request: "like=yes" in (request.post_data or "")):
        button.click()
    button.evaluate("button => button.click()")
    with member.expect_request(lambda request: "like=no" in (request.post_data or "")):
        member.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    tour.complaints.clear()  # of the request that failed


def test_a_like_after_the_session_has_ended_leads_to_the_log_in_page(tour: Tour, member: Page) -> None:
    best = titles(member)[0]
    other = member.context.new_page()
    other.goto(f"{tour.site.user}/account")
    follow(other, other.get_by_role("button", name="Log out"))
    member.locator("main .like").first.click()
    expect(member.get_by_text(f"“{best}” will be added to your likes when you log in.")).to_be_visible()
    tour.complaints.clear()  # of the request that was refused


def test_an_unliked_film_can_be_put_back(member: Page) -> None:
    follow(member, member.locator("main .card-link").first)
    button = member.locator(".film .like")
    with member.expect_response(re.compile("/like$")):
        button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    follow(member, member.get_by_role("link", name="Your likes"))
    with member.expect_response(re.compile("/like$")):
        member.locator("main .like").click()
    expect(member.locator("main .card")).to_have_count(0)
    expect(member.get_by_text("No likes yet.")).to_be_visible()
    expect(member.get_by_role("heading", name="Your taste")).to_have_count(0)
    with member.expect_response(re.compile("/like$")):
        member.get_by_role("button", name="Undo").click()
    expect(member.locator("main .card")).to_have_count(1)
    expect(member.locator(".result-count")).to_have_text("1 film")
    member.reload()
    expect(member.locator("main .card")).to_have_count(1)


def test_a_password_is_checked_while_it_is_typed(tour: Tour, member: Page) -> None:
    member.goto(f"{tour.site.user}/account/password")
    new = member.get_by_label("New password", exact=True)
    verdict = member.locator(".field-verdict")
    new.fill("sunshine1")
    expect(verdict).to_contain_text("very common password")
    new.fill("four blind mice 1928")
    expect(verdict).to_have_text("Good password.")
    member.route(re.compile("/password-hint$"), lambda route: route.fulfill(status=429))
    new.fill("sunshine1")
    expect(verdict).to_have_text("")
    member.unroute(re.compile("/password-hint$"))
    new.fill("four blind mice 1928")
    expect(verdict).to_have_text("Good password.")
    member.get_by_label("Current password").fill(PASSWORD)
    member.get_by_label("Confirm new password").fill("four blind mice 1928")
    follow(member, member.get_by_role("button", name="Change password"))
    expect(member.get_by_role("main").get_by_role("status")).to_contain_text("Your password has been changed")
    tour.complaints.clear()  # of the question that was refused
