"""The library dashboard: charts without JavaScript, and the age of the figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from web_visitor import Maker, Visitor, with_session

from app.admin import dashboards
from app.db.cluster import figures
from app.db.core import now
from ops.local_cluster import LocalCluster


@pytest.fixture(autouse=True)
def uncounted(library: LocalCluster) -> Iterator[None]:
    """Start and end each test without figures."""
    with library.client() as client:
        client.movie_library[figures.NAME].delete_many({})
        yield
        client.movie_library[figures.NAME].delete_many({})


@pytest.fixture
def counted(boss: Visitor) -> Visitor:
    """An administrator, after the figures were counted."""
    assert figures.refresh()
    return boss


def test_the_first_visit_counts(boss: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page waits for the first count; here as long as it takes, as the machine may be busy."""
    monkeypatch.setattr(dashboards, "FIRST_COUNT_WAIT", 60.0)
    assert "Films by year" in boss.get("/").text


def test_every_column_has_a_title_and_a_row_in_the_table(counted: Visitor) -> None:
    page = counted.get("/").text
    (chart,) = re.findall(r'<section class="chart" aria-labelledby="by-year">.*?</section>', page, re.DOTALL)
    titles = dict(re.findall(r"<title>(\w+): (\d+) film", chart))
    rows = dict(re.findall(r'<th scope="row">(\w+)</th><td class="cell-number">(\d+)</td>', chart))
    assert titles == rows
    assert rows["1950"] == "2"
    assert sum(map(int, rows.values())) == 123
    assert len(rows) == 120  # 1900 to 2019, years without films too


def test_bars_show_numbers_and_escape_names(counted: Visitor) -> None:
    page = counted.get("/").text
    (chart,) = re.findall(r'<section class="chart" aria-labelledby="by-genre">.*?</section>', page, re.DOTALL)
    assert "&lt;b&gt;war&lt;/b&gt;" in chart
    assert re.search(r"no genre</th>.*?>121</td>\s*<td class=\"cell-number\">97.6 %", chart, re.DOTALL)


def test_a_bar_links_to_its_films(counted: Visitor) -> None:
    page = counted.get("/").text
    leads = {
        label: unescape(href) for href, label in re.findall(r'<th scope="row"><a href="([^"]+)">([^<]+)</a>', page)
    }
    for label, film in {"drama": "The Long Film", "Films": "Numbered 1"}.items():
        assert film in counted.get(leads[label]).text
    assert "A Film, Long Ago" not in counted.get(leads["drama"]).text


def test_charts_over_time_come_by_day_or_month(boss: Visitor, library: LocalCluster) -> None:
    today = now()
    with library.client() as client:
        # Users of the fixture and of other tests, maybe created before midnight.
        users = client.movie_library.users.update_many({}, {"$set": {"created_at": today}}).matched_count
    assert figures.refresh()
    counted = f"{users} sign-up" if users == 1 else f"{users} sign-ups"
    assert f"{today:%B %Y}: {counted}" in boss.get("/?by=month").text
    assert f"{today.day} {today:%B %Y}: {counted}" in boss.get("/").text
    assert boss.get("/?by=hour").status_code == 400
    assert boss.get("/?by=day&by=month").status_code == 400


def test_old_figures_are_shown_at_once_with_their_age(counted: Visitor, library: LocalCluster) -> None:
    yesterday = now() - timedelta(days=1)
    change = {"$set": {"at": yesterday, "fresh_until": yesterday, "busy_until": now() + timedelta(minutes=1)}}
    with library.client() as client:
        client.movie_library[figures.NAME].update_one({}, change)
    page = counted.get("/").text
    assert f"{yesterday:%H:%M} UTC" in page
    assert "Recounting now" in page
    assert "Films by year" in page


def test_a_page_without_figures_reloads(boss: Visitor) -> None:
    assert figures._take(now() + timedelta(minutes=1))
    page = boss.get("/").text
    assert "being counted for the first time" in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert "data-reload" in page
    assert "Films by year" not in page


def test_a_failed_count_is_reported(boss: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "COUNT_TIMEOUT_S", 0.000001)
    page = boss.get("/").text
    assert "Counting failed at" in page
    assert "Traceback" not in page
    assert page.count("collection-card") == 5


def test_a_search_without_results_is_on_the_dashboard(visitor: Visitor, make_app: Maker, library: LocalCluster) -> None:
    assert visitor.get("/search?q=Nobody+Made+This+Yet").status_code == 200
    assert visitor.get("/search?q=film").status_code == 200
    boss = with_session(Visitor(make_app("admin")), "boss")
    assert re.search(r'class="miss">nobody made this yet</th>\s*<td class="cell-number">1<', boss.get("/").text)
    with library.client() as client:
        client.movie_library.search_misses.delete_many({})
