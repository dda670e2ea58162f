"""The documentation leads somewhere: links, targets and variables that it names exist, and every page can be found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.paths import ROOT
from tests import repository
from tests.drills.attempts_on_data import BY_USER
from tests.drills.locks import LOCKS

PAGES = [ROOT / name for name in repository.files() if name.suffix == ".md"]
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def links(page: Path) -> list[str]:
    """Where the page's links and images lead, without those to other sites."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    return [link for link in found if not link.startswith(("http:", "https:"))]


def anchors(page: Path) -> set[str]:
    """The headings' anchors, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    found, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in found and page.suffix == ".md":
            found.add(page)
            todo += [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
    assert {page for page in (ROOT / "docs").glob("*.md") if page not in found} == set()


@pages
def test_targets_exist(page: Path) -> None:
    named = set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)\b(?=[`\s:,;)])", "\n".join(code(page))))
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named - there == set()


def code(page: Path) -> list[str]:
    """What the page shows as code."""
    text = page.read_text()
    return [f"{snippet} " for snippet in re.findall(r"```[\s\S]*?```|`[^`\n]+`|^    .+$", text, re.MULTILINE)]


def test_the_readme_fits_on_three_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_page_on_security_has_every_attempt_of_the_break_in_drill() -> None:
    text = (ROOT / "docs/security.md").read_text()
    names = {name for attempts in BY_USER.values() for name in attempts}
    assert {name for name in names if name not in text} == set()


def test_the_page_on_security_has_every_lock_that_the_drill_takes_out() -> None:
    """Under the same name; "packet filter" stands once for two."""
    text = (ROOT / "docs/security.md").read_text()
    assert {name for name in LOCKS if name.removeprefix("packet filter, ") not in text} == set()
