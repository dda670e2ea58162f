"""What a bucket's life cycle leaves, as Amazon S3's user guide documents it; moto keeps the rules and does nothing.

S3 rounds a rule's days up to the next midnight (UTC). An object's current version expires, and is then, like one that
was written over, no longer current. Those are removed later, unless they are locked. Where rules overlap, the one that
is sooner counts. Only what the rules in terraform/ use is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Version:
    """The version of a key that was written first, and when another was written over it, if ever."""

    key: str
    written: datetime
    locked_until: datetime
    overwritten: datetime | None = None


def is_there(rules: Sequence[Mapping[str, Any]], version: Version, now: datetime) -> bool:
    """Whether it can still be read by its version's id. `rules` are as S3 describes them."""
    matching = [rule for rule in rules if version.key.startswith(_prefix(rule))]
    assert all(rule["Status"] == "Enabled" for rule in matching)
    expires = _after(version.written, min(rule["Expiration"]["Days"] for rule in matching))
    since = min(expires, version.overwritten or expires)
    removed = _after(since, min(rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for rule in matching))
    return now < max(removed, version.locked_until)


def _prefix(rule: Mapping[str, Any]) -> str:
    return str(rule.get("Prefix") or rule.get("Filter", {}).get("Prefix", ""))


def _after(moment: datetime, days: int) -> datetime:
    """The first midnight that is at least so many days later."""
    later = moment + timedelta(days=days)
    midnight = later.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == later else midnight + timedelta(days=1)
