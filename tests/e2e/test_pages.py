"""Every page in light at a desk and in dark on a phone: sound, within its width, readable."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from tour import PHONE, Tour, log_in, new_name, sign_up

USER_PAGES = ["/", "/catalogue", "/search", "/search?q=the+man", "/search?q=zzz+love", "/films/Q24815", "/nope"]
USER_FORMS = ["/log-in", "/sign-up"]
ADMIN_PAGES = ["/", *(f"/collections/{name}" for name in ("movies", "credits", "users", "user_interactions")), "/nope"]

MODES = {
    "light, at a desk": {"color_scheme": "light"},
    "dark, on a phone": {"color_scheme": "dark", "viewport": PHONE},
}

# What a page itself can tell: structure, names of controls, width, contrast of every piece of text (WCAG AA).
FAULTS = """() => {
  const faults = [];
  const fault = (text, element) => faults.push(text + (element ? ": " + element.outerHTML.slice(0, 120) : ""));
  if (document.documentElement.scrollWidth > innerWidth) fault("wider than the window");
  if (document.querySelectorAll("h1").length !== 1) fault("not one h1");
  if (document.querySelectorAll("main, body > header, body > footer").length !== 3) fault("landmarks missing");
  for (const control of document.querySelectorAll("input:not([type=hidden]), select"))
    if (!control.labels.length) fault("control without label", control);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) fault("an id twice");
  for (const attribute of ["aria-describedby", "aria-labelledby", "for"])
    for (const element of document.querySelectorAll(`[${attribute}]`))
      for (const id of element.getAttribute(attribute).split(" "))
        if (!document.getElementById(id)) fault(`${attribute} names nothing`, element);

  const rgba = (color) => [...color.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
  const luminance = (color) => color.slice(0, 3).map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const background = (element) => {
    for (; element; element = element.parentElement) {
      const color = rgba(getComputedStyle(element).backgroundColor);
      if (color[3] === 1) return color;
    }
    return [255, 255, 255, 1];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest(".button-off")) continue;
    const style = getComputedStyle(element);
    const large = parseFloat(style.fontSize) >= 24;
    const [text, behind] = [luminance(rgba(style.color)), luminance(background(element))];
    const contrast = (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
    if (contrast < (large ? 3 : 4.5)) fault(`contrast ${contrast.toFixed(2)}`, element);
  }
  return faults;
}"""


def faults_of(page: Page, site: str, paths: list[str]) -> Iterator[str]:
    for path in paths:
        page.goto(site + path)
        for fault in page.evaluate(FAULTS):
            yield f"{path}: {fault}"


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
    log_in(page, tour.site.admin, "boss")
    assert list(faults_of(page, tour.site.admin, ADMIN_PAGES)) == []


@pytest.mark.parametrize(
    ("style", "says"),
    [
        ("main h1 { color: #bbb !important }", "contrast"),
        ("main { min-width: 200vw }", "wider"),
    ],
)
def test_the_check_itself_sees_faults(tour: Tour, style: str, says: str) -> None:
    """With a fault put in, the check above must not be silent."""
    page = tour.window(bypass_csp=True)
    page.goto(tour.site.user)
    page.add_style_tag(content=style)
    assert any(says in fault for fault in page.evaluate(FAULTS))


def test_a_violation_of_the_policy_is_noticed(tour: Tour) -> None:
    page = tour.window()
    page.goto(tour.site.user)
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.evil = 1'}))")
    page.wait_for_function("() => true")
    assert page.evaluate("window.evil") is None
    assert any("Content Security Policy" in complaint for complaint in tour.complaints)
    tour.complaints.clear()
