"""All pages, in light on a desktop and in dark on a phone: accessible, and no wider than the window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from tour import PHONE, Tour, follow, log_in, log_in_as_superadmin, new_name, sign_up

MISSING = "/nope"
USER_PAGES = ["/", "/catalogue", "/search", "/search?q=the+man", "/search?q=zzz+love", "/films/Q185888", MISSING]
USER_FORMS = ["/log-in", "/sign-up"]
ADMIN_PAGES = [
    *("/", "/system", "/import", "/jobs", "/audit-log", MISSING),
    *("/account", "/account/password", "/confirm", "/second-factor/set-up"),
    *(f"/collections/{name}" for name in ("movies", "credits", "users", "user_interactions", "administrators")),
    *(f"/collections/{name}/new" for name in ("movies", "credits", "users", "administrators")),
    *(f"/collections/movies/Q185888{part}" for part in ("", "/edit", "/delete", "/poster")),
    *(f"/collections/movies?filter={condition}" for condition in ("title.contains.the", "runtime.eq.x")),
]

MODES = {
    "light, on a desktop": {"color_scheme": "light"},
    "dark, on a phone": {"color_scheme": "dark", "viewport": PHONE},
}

# Checks beyond axe.
FAULTS = """() => [
  [document.documentElement.scrollWidth > innerWidth, "wider than the window"],
  [document.querySelectorAll("main, body > header, body > footer").length !== 3, "landmarks missing"],
].filter(([fault]) => fault).map(([, words]) => words)"""


def faults(page: Page) -> list[str]:
    """The page's faults by axe (WCAG A and AA, best practices) and by FAULTS."""
    found = [str(fault) for fault in page.evaluate(FAULTS)]
    for violation in Axe().run(page).response["violations"]:
        nodes = ", ".join(" ".join(map(str, node["target"])) for node in violation["nodes"][:3])
        found.append(f"{violation['id']} ({violation['help']}): {nodes}")
    return found


def faults_of(page: Page, site: str, paths: list[str]) -> Iterator[str]:
    """The faults of several pages. All but MISSING must exist."""
    for path in paths:
        answer = page.goto(site + path)
        if answer is None or (answer.status == 404) != (path == MISSING):
            yield f"{path} has the wrong status"
        yield from (f"{path}: {fault}" for fault in faults(page))


@pytest.mark.parametrize("mode", MODES)
def test_pages_of_the_user_app(tour: Tour, mode: str) -> None:
    page = tour.window(**MODES[mode])
    assert list(faults_of(page, tour.site.user, USER_PAGES + USER_FORMS)) == []
    sign_up(page, tour.site.user, new_name())
    assert list(faults_of(page, tour.site.user, ["/", "/account"])) == []


@pytest.mark.parametrize("mode", MODES)
def test_pages_of_the_admin_app(tour: Tour, mode: str) -> None:
    page = tour.window(**MODES[mode])
    assert list(faults_of(page, tour.site.admin, ["/log-in"])) == []
    log_in(page, tour.site.admin, "rootadmin")
    assert list(faults(page)) == [], "the second factor"
    follow(page, page.get_by_role("button", name="Log out"))
    log_in_as_superadmin(page, tour.site)
    assert list(faults_of(page, tour.site.admin, ADMIN_PAGES)) == []
    page.goto(f"{tour.site.admin}/account")
    follow(page, page.get_by_role("button", name="New recovery codes"))
    codes = page.locator(".recovery-codes code").all_inner_texts()
    tour.site.recovery_codes[:] = codes
    assert list(faults(page)) == [], "recovery codes"


@pytest.mark.parametrize(
    ("style", "says"),
    [
        ("main h1 { color: #bbb !important }", "color-contrast"),
        ("main { min-width: 200vw }", "wider"),
    ],
)
def test_the_check_finds_faults(tour: Tour, style: str, says: str) -> None:
    """The check above must find an injected fault."""
    page = tour.window(bypass_csp=True)
    page.goto(tour.site.user)
    page.add_style_tag(content=style)
    assert any(says in fault for fault in faults(page))


def test_a_policy_violation_is_noticed(tour: Tour) -> None:
    page = tour.window()
    page.goto(tour.site.user)
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.evil = 1'}))")
    page.wait_for_function("() => true")
    assert page.evaluate("window.evil") is None
    assert any("Content Security Policy" in complaint for complaint in tour.complaints)
    tour.complaints.clear()
