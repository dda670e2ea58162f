"""How backups are doing, for the system page and for Prometheus.

The host that makes them writes it down in a directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flask import Flask, current_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.db.backups import status
from app.db.core import now
from app.settings import setting
from app.web.request_metrics import add_collector

DIRECTORY = "FILM_LIBRARY_BACKUP_STATUS_DIR"


@dataclass(frozen=True)
class Backups:
    """What was written down, and what is wrong with it now."""

    status: status.Status
    problems: list[str]


def init_app(app: Flask) -> None:
    """Read the directory's name, and add metrics if there is one."""
    app.extensions[DIRECTORY] = directory = setting(DIRECTORY, "")
    if directory:
        add_collector(app, BackupCollector(Path(directory)))


def current() -> Backups | None:
    """How backups are doing; None where it isn't known, as on a host that makes none."""
    directory: str = current_app.extensions[DIRECTORY]
    if not directory:
        return None
    found = status.read(Path(directory))
    return Backups(found, found.problems(now()))


class BackupCollector(Collector):
    """The status as metrics; those of what never happened are left out."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterator[Metric]:
        found = status.read(self._directory)
        gauges = {
            "last_success_timestamp_seconds": ("Of which moment the last good backup is.", _seconds(found.at)),
            "documents": ("Documents in it.", found.documents if found.at else None),
            "size_bytes": ("Its size.", found.size if found.at else None),
            "changes_timestamp_seconds": ("Up to when a restore can go.", _seconds(found.changes_until)),
            "changes_gap": ("1 if changes are missing.", bool(found.gap) if found.archives_changes else None),
            "verified_timestamp_seconds": ("When a backup was verified last.", _seconds(found.verified)),
            "problems": ("How many problems the admin app's system page lists.", len(found.problems(now()))),
        }
        for name, (text, value) in gauges.items():
            if value is not None:
                yield GaugeMetricFamily(f"film_library_backup_{name}", text, value=float(value))


def _seconds(time: datetime | None) -> float | None:
    return time.timestamp() if time else None
