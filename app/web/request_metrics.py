"""Request counts and durations by endpoint for Prometheus: GET /metrics, from this host only.

An app with several processes sums them up in the directory PROMETHEUS_MULTIPROC_DIR, which must be empty at the start.
"""

from __future__ import annotations

import ipaddress
import os
import time

from flask import Blueprint, Flask, Response, abort, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, exposition
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

# Seconds. A page should take less than 50 ms, and waits up to 30 s for a new primary.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
METHODS = frozenset(
    {"GET", "HEAD", "POST", "OPTIONS"}
)  # clients can send any method, and each would be a new time series

REGISTRY, MORE = "film_library_metrics", "film_library_more_metrics"  # keys of app.extensions

blueprint = Blueprint("metrics", __name__)


def init_app(app: Flask) -> None:
    """Count all requests."""
    registry = app.extensions[REGISTRY] = CollectorRegistry()
    app.extensions[MORE] = []
    name = app.config["APP_NAME"]
    requests = Counter(
        "film_library_requests",
        "Requests answered, by app, page (endpoint) and status.",
        ["app", "endpoint", "method", "status"],
        registry=registry,
    )
    seconds = Histogram(
        "film_library_request_seconds",
        "Time until the answer's first byte, by app and page (endpoint).",
        ["app", "endpoint"],
        buckets=BUCKETS,
        registry=registry,
    )

    def count(response: Response) -> Response:
        endpoint = request.endpoint or "none"
        method = request.method if request.method in METHODS else "other"
        requests.labels(name, endpoint, method, response.status_code).inc()
        seconds.labels(name, endpoint).observe(time.perf_counter() - g.get("started", time.perf_counter()))
        return response

    app.after_request(count)
    app.register_blueprint(blueprint)


def add_collector(app: Flask, collector: Collector) -> None:
    """Add a collector that is asked at each scrape."""
    app.extensions[MORE].append(collector)


@blueprint.get("/metrics")
def scrape() -> Response:
    """The metrics in Prometheus' text format; 404 for other hosts."""
    if not _from_this_host():
        abort(404)
    registry = current_app.extensions[REGISTRY]
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # untyped
    text = exposition.generate_latest(registry)
    for collector in current_app.extensions[MORE]:
        more = CollectorRegistry()
        more.register(collector)
        text += exposition.generate_latest(more)
    return Response(text, headers={"Content-Type": exposition.CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"})


def _from_this_host() -> bool:
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:  # no address: a Unix socket without a proxy
        return False
