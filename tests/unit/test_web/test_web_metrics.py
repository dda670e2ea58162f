"""Metrics for Prometheus: correct, for this host only, and summed over all processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from web_visitor import SECRET, Maker, Visitor

from ops.local_cluster import LocalCluster

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(app: Flask) -> Samples:
    response = Visitor(app, "127.0.0.1").get("/metrics")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(response.text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the samples that have these labels."""
    found = [number for (n, own), number in samples.items() if n == name and labels.items() <= set(own)]
    assert found, f"no {name} {labels}"
    return sum(found)


@pytest.mark.parametrize("name", ["user", "admin"])
def test_requests_are_counted_by_page_and_status(make_app: Maker, name: str) -> None:
    app = make_app(name)
    visitor = Visitor(app)
    for path in ("/log-in", "/log-in", "/nowhere"):
        visitor.get(path)
    visitor.client.open("/log-in", method="BREW", environ_base={"REMOTE_ADDR": visitor.address})
    samples = scraped(app)
    count = "film_library_requests_total"
    assert value(samples, count, app=name, endpoint="accounts.log_in", status="200", method="GET") == 2
    assert value(samples, count, app=name, endpoint="none", status="404") == 1
    assert value(samples, count, app=name, method="other") == 1
    assert value(samples, "film_library_request_seconds_count", endpoint="accounts.log_in") == 2
    assert value(samples, "film_library_request_seconds_bucket", endpoint="accounts.log_in", le="+Inf") == 2


@pytest.mark.parametrize("name", ["user", "admin"])
@pytest.mark.parametrize("address", ["10.0.0.1", "::2", "", "unix:"])
def test_metrics_are_hidden_from_other_hosts(make_app: Maker, name: str, address: str) -> None:
    assert Visitor(make_app(name), address).get("/metrics").status_code == 404


def test_the_proxy_header_decides_behind_a_proxy(make_app: Maker) -> None:
    """Behind nginx all requests come from this host; its header has the client's address."""
    direct = Visitor(make_app("user"), "10.0.0.1")
    assert direct.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 404
    behind = Visitor(make_app("user", PROXY_COUNT="1"), "127.0.0.1")
    assert behind.get("/metrics", headers={"X-Forwarded-For": "10.0.0.1"}).status_code == 404
    assert behind.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 200


def test_the_admin_app_has_cluster_metrics(make_app: Maker, library: LocalCluster) -> None:
    samples = scraped(make_app("admin", MONITOR_URI=library.uri("monitor")))
    address = f"localhost:{library.processes[0].port}"
    for name in ("up", "primary"):
        assert value(samples, f"film_library_member_{name}", group="single", member=address) == 1
    assert value(samples, "film_library_member_lag_seconds", member=address) == 0
    days = (value(samples, "film_library_member_certificate_end_seconds", member=address) - time.time()) / 86_400
    assert 6 < days < 7, "ops/certificates.py issues them for a week"
    assert value(samples, "film_library_member_operations_total", member=address, operation="insert") > 0
    assert value(samples, "film_library_shard_documents", shard="single", collection="movies") == 124
    assert value(samples, "film_library_shard_bytes", of="disk_total") > 0


def test_without_a_monitor_there_are_no_cluster_metrics(admin_app: Flask) -> None:
    samples = scraped(admin_app)
    assert not any(name.startswith("film_library_member") for name, _ in samples)


def test_backups_have_metrics_where_they_are_made(make_app: Maker, admin_app: Flask, tmp_path: Path) -> None:
    assert not any(name.startswith("film_library_backup") for name, _ in scraped(admin_app))
    app = make_app("admin", BACKUP_STATUS_DIR=str(tmp_path))
    assert {name for name, _ in scraped(app) if name.startswith("film_library_backup")} == {
        "film_library_backup_problems"
    }
    at = "2026-11-29T12:00:00+00:00"
    (tmp_path / "status.json").write_text(json.dumps({"at": at, "first": at, "documents": 3, "bytes": 4}))
    (tmp_path / "changes.json").write_text(json.dumps({"covered_until": at, "gap": {"from": "a", "to": "b"}}))
    (tmp_path / "verified.json").write_text(json.dumps({"backup": "x", "at": at}))
    samples = scraped(app)
    seconds = datetime.fromisoformat(at).timestamp()
    for name in ("last_success", "changes", "verified"):
        assert value(samples, f"film_library_backup_{name}_timestamp_seconds") == seconds
    assert value(samples, "film_library_backup_documents") == 3
    assert value(samples, "film_library_backup_size_bytes") == 4
    assert value(samples, "film_library_backup_changes_gap") == 1
    assert value(samples, "film_library_backup_problems") >= 1


COUNT_ONE_REQUEST = """
from app.user import create_app
client = create_app().test_client()
client.get("/healthz")
print(client.get("/metrics").text)
"""


def test_metrics_are_summed_over_processes(library: LocalCluster, tmp_path: Path) -> None:
    environment = {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "FILM_LIBRARY_MONGODB_URI": library.uri("film-library-user"),
        "FILM_LIBRARY_SECRET_KEY": SECRET,
    }
    for expected in (1, 2):  # one process after the other
        done = subprocess.run(
            [sys.executable, "-c", COUNT_ONE_REQUEST], env=environment, check=True, capture_output=True, text=True
        )
        samples = {
            (s.name, frozenset(s.labels.items())): s.value
            for family in text_string_to_metric_families(done.stdout)
            for s in family.samples
        }
        assert value(samples, "film_library_requests_total", endpoint="health.alive", status="200") == expected
