"""Charts in a real browser: by pointer, by keyboard, without JavaScript, on a phone."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect
from tour import PHONE, Tour, log_in

VALUE = re.compile(r"^\d{4}: [\d,]+ films?$")


def dashboard(page: Page, tour: Tour) -> Locator:
    """The chart of films by year, after logging in. Visible once the figures are counted."""
    log_in(page, tour.site.admin, "boss")
    chart = page.locator("section", has=page.get_by_role("heading", name="Films by year"))
    expect(chart).to_be_visible()
    return chart


def test_a_columns_value_by_pointer_and_arrow_keys(tour: Tour) -> None:
    chart = dashboard(tour.window(), tour)
    tip = chart.get_by_role("status")
    expect(tip).to_be_hidden()
    last = chart.locator(".plot-band").last
    last.hover()
    expect(tip).to_have_text(VALUE)
    newest = tip.inner_text()
    assert newest == last.get_attribute("data-text")

    plot = chart.locator(".plot")
    plot.focus()
    plot.press("Home")
    oldest = chart.locator(".plot-band").first.get_attribute("data-text")
    expect(tip).to_have_text(str(oldest))
    plot.press("ArrowLeft")
    expect(tip).to_have_text(str(oldest))
    plot.press("ArrowRight")
    expect(tip).not_to_have_text(str(oldest))
    plot.press("End")
    expect(tip).to_have_text(newest)
    plot.press("Escape")
    expect(tip).to_be_hidden()


def test_a_chart_without_javascript(tour: Tour) -> None:
    chart = dashboard(tour.window(java_script_enabled=False, viewport=PHONE), tour)
    title = chart.locator(".plot-band title").last.text_content()
    assert title
    year, _, films = title.partition(": ")
    chart.locator("summary").click()
    expect(chart.get_by_role("row", name=re.compile(f"^{year} "))).to_have_text(
        re.compile(rf"^\s*{year}\s*{films.split()[0]}\s*$")
    )


def test_dashboards_fit_a_phone(tour: Tour) -> None:
    page = tour.window(viewport=PHONE)
    dashboard(page, tour)
    for path in ("/", "/?by=month", "/system"):
        page.goto(f"{tour.site.admin}{path}")
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(width) == 0, path
