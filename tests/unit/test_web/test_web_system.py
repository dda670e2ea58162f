"""The system dashboard, with and without a monitor."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from web_visitor import Maker, Visitor, with_session

from app.admin.system_charts import uptime
from app.db.backups import status
from app.db.cluster import monitoring
from ops.local_cluster import LocalCluster


def test_without_a_monitor_the_page_explains_the_setting(boss: Visitor) -> None:
    response = boss.get("/system")
    assert response.status_code == 200
    assert "FILM_LIBRARY_MONITOR_URI" in response.text


def test_the_page_shows_processes_documents_storage_and_rates(make_app: Maker, library: LocalCluster) -> None:
    boss = with_session(Visitor(make_app("admin", MONITOR_URI=library.uri("monitor"))), "boss")
    page = boss.get("/system").text
    (member,) = library.processes
    assert f"localhost:{member.port}" in page
    assert re.search(r'class="state">PRIMARY<', page)
    assert "1 of 1" in page
    assert "First certificate ends" in page
    movies = re.search(r'<th scope="row">movies</th>.*?<td class="cell-number">(\d+)</td>', page, re.DOTALL)
    assert movies
    assert movies[1] == "124"
    assert "Storage of single" in page
    assert re.search(r'<th scope="row">query</th>', page)
    assert library.passwords["monitor"] not in page


def test_an_unavailable_cluster_is_reported(make_app: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "TIMEOUT_S", 0.3)
    nowhere = "mongodb://monitor:secret@localhost:1/?authSource=admin"
    page = with_session(Visitor(make_app("admin", MONITOR_URI=nowhere)), "boss").get("/system").text
    assert "localhost:1: no answer" in page
    assert "state-bad" in page
    assert "0 of 1" in page
    assert "secret" not in page


def test_backups_are_shown_where_they_are_made(make_app: Maker, tmp_path: Path, boss: Visitor) -> None:
    assert "Backups" not in boss.get("/system").text
    boss = with_session(Visitor(make_app("admin", BACKUP_STATUS_DIR=str(tmp_path))), "boss")
    assert "No backup has been made." in boss.get("/system").text
    at = datetime.now(UTC).replace(microsecond=0)
    full = {"backup": "x", "at": at.isoformat(), "first": at.isoformat(), "documents": 17472, "bytes": 2_000_000}
    (tmp_path / status.FULL).write_text(json.dumps(full))
    page = boss.get("/system").text
    assert at.isoformat() in page
    assert "17,472 documents" in page
    assert "Never" in page
    assert "notice-error" not in page
    (tmp_path / status.FULL).write_text(json.dumps(full | {"at": "2026-01-01T00:00:00Z", "failure": "<no> space"}))
    page = boss.get("/system").text
    assert "The last backup is of 2026-01-01 00:00 UTC: &lt;no&gt; space." in page


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 min"), (3599, "59 min"), (3660, "1 h 1 min"), (93784, "1 d 2 h"), (86400, "1 d 0 h")]
)
def test_uptime(seconds: int, text: str) -> None:
    assert uptime(seconds) == text
