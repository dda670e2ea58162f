"""The admin app's lists: access, paging, and no secrets."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from web_visitor import Visitor

from app.admin.access import OPEN_ENDPOINTS
from app.admin.columns import VIEWS
from app.db.core import COLLECTIONS, listing, now
from ops.local_cluster import LocalCluster

ARGUMENTS = {"name": "movies", "version": "0", "filename": "base.css", "document_id": "Q1"}


def rows(page: str) -> list[str]:
    return re.findall(r'<th class="cell-title" scope="row"><a [^>]*>\s*([^<]*?)\s*</a>', page)


def link(page: str, name: str) -> str | None:
    found = re.search(rf'rel="{name}" href="([^"]+)"', page)
    return found[1].replace("&amp;", "&") if found else None


def test_every_route_is_closed_to_anonymous_visitors(admin_app: Flask) -> None:
    adapter = admin_app.url_map.bind("localhost")
    closed = 0
    for rule in admin_app.url_map.iter_rules():
        if rule.endpoint in OPEN_ENDPOINTS:
            continue
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            arguments = {name: ARGUMENTS.get(name, "anything") for name in rule.arguments}
            address = adapter.build(rule.endpoint, arguments, method)
            visitor = Visitor(admin_app)
            response = visitor.get(address) if method == "GET" else visitor.send(address, form_on="/log-in")
            assert response.status_code == 302, f"{method} {address}"
            assert response.location.startswith("/log-in"), f"{method} {address}"
            closed += 1
    assert closed >= 3


def test_a_route_without_an_action_is_closed(admin_app: Flask) -> None:
    admin_app.add_url_rule("/new", "records.new", lambda: "secret")
    assert Visitor(admin_app).get("/new").status_code == 302


def test_only_log_in_assets_health_and_metrics_are_open() -> None:
    assert {
        "accounts.log_in",
        "assets.static",
        "assets.favicon",
        "assets.robots",
        "health.alive",
        "health.ready",
        "metrics.scrape",
    } == OPEN_ENDPOINTS


def test_the_dashboard_counts_every_collection(boss: Visitor) -> None:
    page = boss.get("/").text
    assert set(VIEWS) == set(COLLECTIONS)
    for name in COLLECTIONS:
        assert f'href="/collections/{name}"' in page
    assert re.search(r'collection-count">124</p>', page)


@pytest.mark.parametrize("name", list(COLLECTIONS))
def test_every_collection_has_its_list(boss: Visitor, name: str) -> None:
    page = boss.get(f"/collections/{name}").text
    assert VIEWS[name].title in page
    for column in VIEWS[name].columns:
        assert f"collections/{name}" in page
        assert column.heading in page or "This collection is empty" in page


def test_pages_go_forward_and_back(boss: Visitor) -> None:
    first = boss.get("/collections/movies?sort=title&rows=25").text
    assert link(first, "prev") is None
    forward = [first]
    while address := link(forward[-1], "next"):
        forward.append(boss.get(address).text)
    assert [len(rows(page)) for page in forward] == [25, 25, 25, 25, 24]
    backward = [forward[-1]]
    while address := link(backward[-1], "prev"):
        backward.append(boss.get(address).text)
    assert [rows(page) for page in backward] == [rows(page) for page in reversed(forward)]
    everything = [title for page in forward for title in rows(page)]
    assert everything == sorted(everything)
    assert len(set(everything)) == 124


def test_headings_sort_by_indexed_columns_only(boss: Visitor) -> None:
    page = boss.get("/collections/movies").text
    sorts = set(re.findall(r'href="/collections/movies\?[^"]*sort=([a-z_]+)', page))
    assert {"title", "release_year", "runtime", "ranking_score", "_id"} <= sorts
    assert not sorts & {"genres", "description", "age_certification"}
    assert 'aria-sort="descending"' in page
    up = boss.get("/collections/movies?sort=release_year&dir=asc").text
    down = boss.get("/collections/movies?sort=release_year&dir=desc").text
    assert rows(down)[0] == "Numbered 119"
    assert rows(up) != rows(down)


def test_links_keep_the_rows_per_page(boss: Visitor) -> None:
    page = boss.get("/collections/movies?rows=100").text
    assert len(rows(page)) == 100
    assert "rows=100" in (link(page, "next") or "")
    assert "<option selected>100</option>" in page


def test_an_estimated_count_is_marked(boss: Visitor, library: LocalCluster) -> None:
    assert "124 records," in boss.get("/collections/movies").text
    with library.client() as client:
        many = [{"user_id": str(n), "movie_id": "Q1", "created_at": now()} for n in range(10_001)]
        client.movie_library.user_interactions.delete_many({})  # likes of other tests
        client.movie_library.user_interactions.insert_many(many)
        try:
            assert "About 10,001 records (estimated)" in boss.get("/collections/user_interactions").text
            assert "about</span> 10,001" in boss.get("/").text
        finally:
            client.movie_library.user_interactions.delete_many({})


def test_a_stopped_count_is_marked(boss: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "EXACT_COUNT_LIMIT", 100)
    page = boss.get("/collections/movies?filter=release_year.gte.1900").text
    assert "More than 100 records," in page
    assert "or all of this list (more than 100 records)" in page
    assert "estimated" not in page


def test_secrets_are_never_shown(boss: Visitor, library: LocalCluster) -> None:
    with library.client() as client:
        hashes = [user["password_hash"] for user in client.movie_library.users.find()]
        sessions = [session["_id"] for session in client.movie_library.admin_sessions.find()]
    assert hashes
    assert sessions
    pages = "".join(boss.get(path).text for path in ("/", *(f"/collections/{name}" for name in COLLECTIONS)))
    assert "boss" in pages
    assert "argon2" not in pages
    for secret in [*hashes, *sessions]:
        assert secret not in pages


@pytest.mark.parametrize("name", list(COLLECTIONS))
def test_no_column_is_a_private_field(name: str) -> None:
    """The data layer drops them, but they aren't even requested."""
    assert not {column.field for column in VIEWS[name].columns} & set(COLLECTIONS[name].private)
    assert "password_hash" in COLLECTIONS["users"].private
