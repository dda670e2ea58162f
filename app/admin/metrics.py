"""Cluster metrics for Prometheus, queried from every process at each scrape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flask import Flask
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.admin.dashboards import MONITOR
from app.db.cluster import PRIMARY, Member, Monitor, Survey
from app.web.request_metrics import add_collector


def init_app(app: Flask) -> None:
    """Add cluster metrics to the app's, if a monitor is configured."""
    if (monitor := app.extensions[MONITOR]) is not None:
        add_collector(app, ClusterCollector(monitor))


class ClusterCollector(Collector):
    """A survey of the cluster as metrics. A process that doesn't respond is down and has no other metrics."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterator[Metric]:
        survey = self._monitor.survey(rates=False)
        yield from _of_members(survey.members)
        yield from _of_shards(survey)


def _of_members(members: Sequence[Member]) -> Iterator[Metric]:
    gauges: dict[str, tuple[str, list[float | None]]] = {
        "up": ("1 if the process is healthy.", [member.healthy for member in members]),
        "primary": ("1 for the primary of a replica set.", [member.state == PRIMARY for member in members]),
        "lag_seconds": ("Replication lag behind the set's latest write.", [member.lag for member in members]),
        "connections": ("Open connections.", [member.connections for member in members]),
        "memory_bytes": ("Resident memory.", [member.memory for member in members]),
        "uptime_seconds": ("Time since the process started.", [member.uptime for member in members]),
        "certificate_end_seconds": (
            "When the process's certificate ends, as Unix time.",
            [member.certificate_end.timestamp() if member.certificate_end else None for member in members],
        ),
    }
    for name, (text, values) in gauges.items():
        family = GaugeMetricFamily(f"film_library_member_{name}", text, labels=["group", "member"])
        for member, value in zip(members, values, strict=True):
            if value is not None:
                family.add_metric([member.group, member.address], float(value))
        yield family
    operations = CounterMetricFamily(
        "film_library_member_operations", "Operations by kind.", labels=["group", "member", "operation"]
    )
    for member in members:
        for kind, count in member.operations.items():
            operations.add_metric([member.group, member.address, kind], count)
    yield operations


def _of_shards(survey: Survey) -> Iterator[Metric]:
    documents = GaugeMetricFamily(
        "film_library_shard_documents", "Documents on a shard.", labels=["shard", "collection"]
    )
    chunks = GaugeMetricFamily("film_library_shard_chunks", "Chunks on a shard.", labels=["shard", "collection"])
    storage = GaugeMetricFamily("film_library_shard_bytes", "Bytes on a shard by kind.", labels=["shard", "of"])
    for shard in survey.shards:
        for name, count in shard.documents.items():
            documents.add_metric([shard.name, name], count)
        for name, count in shard.chunks.items():
            chunks.add_metric([shard.name, name], count)
        sizes = {"documents": shard.storage, "indexes": shard.indexes, "disk_used": shard.disk_used}
        for what, size in {**sizes, "disk_total": shard.disk_total}.items():
            if size is not None:
                storage.add_metric([shard.name, what], size)
    yield from (documents, chunks, storage)
