"""The charts and tables of the system dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.admin.charts import Bar, bars
from app.db.cluster import ROUTER, Survey


@dataclass(frozen=True)
class Holding:
    """A shard's part of a collection: documents (also as a bar of their share) and chunks."""

    collection: str
    shard: str
    bar: Bar
    chunks: int | None


def system_charts(survey: Survey) -> dict[str, Any]:
    """The template's variables."""
    # Clients come in through the routers; behind them members also talk to each other.
    entry_points = [member for member in survey.members if member.group == ROUTER] or survey.members
    kinds: dict[str, float] = {}
    for member in entry_points:
        for kind, rate in (member.rates or {}).items():
            kinds[kind] = kinds.get(kind, 0.0) + rate
    return {
        "routed": any(member.group == ROUTER for member in survey.members),
        "answering": sum(member.healthy for member in survey.members),
        "connections": sum(member.connections or 0 for member in entry_points),
        "rate": sum(kinds.values()),
        "certificate_end": min((m.certificate_end for m in survey.members if m.certificate_end), default=None),
        "lag": max((member.lag for member in survey.members if member.lag is not None), default=None),
        "kinds": bars([(kind, round(rate, 1)) for kind, rate in kinds.items()], sum(kinds.values())),
        "holdings": _holdings(survey),
    }


def _holdings(survey: Survey) -> list[Holding]:
    collections = dict.fromkeys(name for shard in survey.shards for name in (*shard.documents, *shard.chunks))
    found = []
    for name in collections:
        counts = [(shard.name, shard.documents.get(name, 0)) for shard in survey.shards]
        total = sum(count for _, count in counts)
        for shard, bar in zip(survey.shards, bars(counts, total), strict=True):
            found.append(Holding(name, shard.name, bar, shard.chunks.get(name) if shard.chunks else None))
    return found


def uptime(seconds: int) -> str:
    """93784 -> "1 d 2 h"; below an hour "12 min"."""
    days, rest = divmod(seconds, 86_400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
