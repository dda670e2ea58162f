"""docs/security-inventory.md says what the code does: collections, times, sizes, words and ports."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
import yaml

from app import admin, user
from app.admin import poster_images, posters, transfer
from app.db.accounts import passwords, rate_limit, sessions
from app.db.accounts.credentials import MAX_USERNAME
from app.db.core import audit, listing
from app.db.schema.indexes import KEEP_REJECTS
from app.db.search import failed_searches, query_text
from app.db.transfer import readers, uploads
from app.web import settings
from ops.paths import ANSIBLE, ROOT

PAGE = (ROOT / "docs/security-inventory.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def words_of(duration: timedelta) -> str:
    """7 days, 12 hours, 30 minutes."""
    seconds = int(duration.total_seconds())
    unit, name = next(
        (unit, name) for unit, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")) if not seconds % unit
    )
    return f"{seconds // unit} {name}"


def test_every_collection_has_a_level() -> None:
    database = yaml.safe_load((ANSIBLE / "group_vars/all/database.yml").read_text())
    resources = [
        privilege["resource"] for role in database["cluster_database_roles"] for privilege in role["privileges"]
    ]
    there = {resource["collection"] for resource in resources if resource.get("db") == database["cluster_database"]} - {
        ""
    }
    rows = [line.split("|")[2] for line in section("Data").splitlines() if line.startswith("| ")][1:]
    named = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]
    assert sorted(named) == sorted(there)


@pytest.mark.parametrize(
    ("collection", "keep"),
    [
        ("audit_log", audit.KEEP_LOG),
        ("jobs", audit.KEEP_LOG),
        ("audit_changes", audit.KEEP_CHANGES),
        ("import_rejects", KEEP_REJECTS),
        ("uploads.chunks", uploads.KEEP),
        ("search_misses", failed_searches.KEEP),
    ],
)
def test_data_is_kept_as_long_as_it_says(collection: str, keep: timedelta) -> None:
    assert f"`{collection}` ({words_of(keep).replace('1 days', '1 day')})" in section("Data")


def test_places_are_kept_as_long_as_it_says() -> None:
    assert f"counters up to {words_of(rate_limit.REMEMBER_PLACE)}" in section("Data")


@pytest.mark.parametrize("kind", sessions.KINDS)
def test_sessions_end_when_it_says(kind: str) -> None:
    lifetime = sessions.KINDS[kind]
    assert f"| {kind} | {words_of(lifetime.idle)} | {words_of(lifetime.absolute)} |" in section("Sessions")


def test_input_is_limited_as_it_says() -> None:
    text = section("What the apps accept")
    for said in (
        f"3 to {MAX_USERNAME} lower-case letters",
        f"{passwords.MIN_PASSWORD} to {passwords.MAX_PASSWORD} characters",
        f"{settings.REQUEST_MAX_BYTES >> 10} kB in the user app, {admin.FORM_MAX_BYTES >> 10} kB in the admin app",
        f"searches of at most {query_text.MAX_TEXT} characters",
        f"at most {posters.UPLOAD_MAX_BYTES >> 20} MB and {poster_images.MAX_PIXELS // 1_000_000} million pixels",
        f"at most {transfer.UPLOAD_MAX_BYTES >> 20} MB, also gzipped; a record has at most {readers.MAX_ITEM >> 20} MB",
    ):
        assert said in text


def test_the_words_that_no_password_should_have_are_named() -> None:
    for word in passwords._OWN_WORDS:
        assert f"*{word}*" in section("What the apps accept")


def test_every_port_of_the_cluster_is_named() -> None:
    ports = json.loads((ANSIBLE / "group_vars/all/topology.json").read_text())["cluster_ports"]
    named = set(map(int, re.findall(r"\b\d{2,5}\b", section("Connections"))))
    assert {port for name, port in ports.items() if name != "shard_step"} <= named


def test_costly_requests_are_bounded_as_it_says() -> None:
    text = section("Costly requests")
    webapps = yaml.safe_load((ANSIBLE / "roles/webapps/defaults/main.yml").read_text())
    assert f"{webapps['webapps_requests_per_second']} requests a second" in text
    assert f"after {listing.UNINDEXED_TIMEOUT_S:.0f} s, counting after {listing.COUNT_TIMEOUT_S:.0f} s" in text
    assert "accounts.password_hint" in user.PACES
