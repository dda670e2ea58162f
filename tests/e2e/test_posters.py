"""A poster: uploaded by an administrator, seen by a visitor, removed."""

from __future__ import annotations

from pathlib import Path

from pictures import encoded, picture
from playwright.sync_api import Page, expect
from test_pages import faults
from tour import PHONE, Tour, follow, log_in

COUNT_SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def films(tour: Tour) -> tuple[str, str]:
    """The ids of the catalogue's first two films."""
    page = tour.window()
    page.goto(f"{tour.site.user}/catalogue")
    links = page.locator(".card-link")
    first, second = (str(links.nth(n).get_attribute("href")).rsplit("/", 1)[1] for n in (0, 1))
    return first, second


def shown(page: Page) -> bool:
    """Whether the image has loaded and has the aspect ratio 2:3."""
    image = page.locator("img.poster").first
    expect(image).to_be_visible()
    page.wait_for_function("() => document.querySelector('img.poster').complete")
    width, height, real = image.evaluate("e => [e.clientWidth, e.clientHeight, e.naturalWidth]")
    return bool(real > 0 and abs(height / width - 1.5) < 0.02)


def test_a_poster_is_uploaded_seen_and_removed(tour: Tour, tmp_path: Path) -> None:
    first, _ = films(tour)
    file, broken = tmp_path / "poster.jpg", tmp_path / "broken.jpg"
    file.write_bytes(encoded(picture(size=(500, 500))))
    broken.write_bytes(file.read_bytes()[:-300])
    admin, visitor = tour.window(color_scheme="dark", viewport=PHONE), tour.window()
    log_in(admin, tour.site.admin, "boss")
    admin.goto(f"{tour.site.admin}/collections/movies/{first}")
    follow(admin, admin.get_by_role("link", name="Add poster"))
    admin.get_by_label("Image").set_input_files(broken)
    follow(admin, admin.get_by_role("button", name="Add poster"))
    expect(admin.get_by_text("broken or incomplete")).to_be_visible()
    admin.get_by_label("Image").set_input_files(file)
    follow(admin, admin.get_by_role("button", name="Add poster"))
    expect(admin.get_by_role("status")).to_have_text("The poster has been saved.")
    assert faults(admin) == []

    for path in ("/catalogue", f"/films/{first}"):
        visitor.goto(tour.site.user + path)
        assert shown(visitor)
    assert faults(visitor) == []

    follow(admin, admin.get_by_role("button", name="Remove poster"))
    expect(admin.get_by_role("status")).to_have_text("The poster has been removed.")
    visitor.reload()
    expect(visitor.locator("div.poster").first).to_be_visible()


def test_loading_images_shifts_nothing(tour: Tour, tmp_path: Path) -> None:
    """Layout shifts as the browser counts them, with and without images."""
    file = tmp_path / "poster.jpg"
    file.write_bytes(encoded(picture(size=(500, 500))))
    first, second = films(tour)
    admin = tour.window()
    log_in(admin, tour.site.admin, "boss")
    admin.goto(f"{tour.site.admin}/collections/movies/{second}/poster")
    admin.get_by_label("Image").set_input_files(file)
    follow(admin, admin.get_by_role("button", name="Add poster"))
    page = tour.window(viewport=PHONE)
    page.add_init_script(COUNT_SHIFTS)
    shifts = {}
    for path in ("/", "/catalogue", f"/films/{first}", f"/films/{second}", "/log-in", "/sign-up"):
        page.goto(tour.site.user + path, wait_until="networkidle")
        shifts[path] = page.evaluate("window.shift")
    follow(admin, admin.get_by_role("button", name="Remove poster"))
    assert shifts == dict.fromkeys(shifts, 0)
