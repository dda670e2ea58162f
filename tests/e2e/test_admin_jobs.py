"""Bulk changes in a real browser: edit, follow, undo, with and without JavaScript."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from test_pages import faults
from tour import PHONE, Tour, follow, log_in_as_superadmin

FOUND = "/collections/movies?filter=title.contains.man"
DESK, DARK_PHONE = {"color_scheme": "light"}, {"color_scheme": "dark", "viewport": PHONE}
MODES = {"desk": DESK, "dark phone": DARK_PHONE, "without JavaScript": {**DARK_PHONE, "java_script_enabled": False}}


def root_at_the_list(tour: Tour, options: dict[str, Any]) -> Page:
    """A superadmin on a list of some films."""
    page = tour.window(**options)
    log_in_as_superadmin(page, tour.site)
    page.goto(tour.site.admin + FOUND)
    return page


def state(page: Page, text: str) -> None:
    """Wait for the job's page to show the state, by its script or by refreshing."""
    expect(page.get_by_role("status").filter(has_text=re.compile(f"^{text}$"))).to_be_visible(timeout=20_000)


@pytest.mark.parametrize("mode", MODES)
def test_all_of_a_list_is_edited_and_undone(tour: Tour, mode: str) -> None:
    root = root_at_the_list(tour, MODES[mode])

    def check(page: Page) -> None:
        if mode != "without JavaScript":  # axe is a script
            assert faults(page) == []

    root.get_by_role("checkbox", name=re.compile("all of this list")).check()
    follow(root, root.get_by_role("button", name="Edit…"))
    check(root)
    root.get_by_label("Field").select_option("genres")
    root.get_by_label("Change").select_option("add")
    root.get_by_label("Value").fill("remembered")
    follow(root, root.get_by_role("button", name="Preview"))
    expect(root.get_by_text("Genres: remembered added")).to_be_visible()
    check(root)
    follow(root, root.get_by_role("button", name=re.compile(r"^Edit \d+ films$")))
    state(root, "done")
    check(root)
    job = root.url
    follow(root, root.get_by_role("link", name="Changes by record"))
    check(root)
    root.goto(job)
    follow(root, root.get_by_role("button", name="Undo"))
    state(root, "done")
    root.goto(tour.site.admin + "/collections/movies?filter=genres.contains.remembered")
    expect(root.get_by_text("No records match this condition")).to_be_visible()
    for path in ("/jobs", "/audit-log"):
        root.goto(tour.site.admin + path)
        check(root)


def test_the_audit_log_fits_a_phone(tour: Tour) -> None:
    root = root_at_the_list(tour, DARK_PHONE)
    root.goto(f"{tour.site.admin}/collections/movies/new")
    root.get_by_label("Title (required)").fill("Long remembered")
    root.get_by_label("Type (required)").select_option("MOVIE")
    follow(root, root.get_by_role("button", name="Add film"))
    root.goto(f"{tour.site.admin}/audit-log")
    area = root.get_by_role("region", name="Audit log")
    expect(area.get_by_text("Long remembered")).to_be_visible()
    assert area.evaluate("area => area.scrollWidth - area.clientWidth") == 0
    assert faults(root) == []


def test_a_deletion_is_confirmed_by_the_number(tour: Tour) -> None:
    root = root_at_the_list(tour, DARK_PHONE)
    root.locator("tbody").get_by_role("checkbox").first.check()
    follow(root, root.get_by_role("button", name="Delete…"))
    assert faults(root) == []
    root.get_by_label("Type the number of records to confirm").fill("2")
    follow(root, root.get_by_role("button", name="Delete 1 film"))
    expect(root.get_by_text("That isn't the number of records.")).to_be_visible()
    root.get_by_label("Type the number of records to confirm").fill("1")
    follow(root, root.get_by_role("button", name="Delete 1 film"))
    state(root, "done")
    follow(root, root.get_by_role("button", name="Undo"))
    state(root, "done")
    root.goto(tour.site.admin + FOUND)
    expect(root.locator("tbody").get_by_role("checkbox").first).to_be_visible()
