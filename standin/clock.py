"""The cluster's logical time, as servers report it: the router passes it on from each to all others."""

from collections.abc import Mapping
from typing import Any

from bson import Timestamp


class Clock:
    """`latest` is the newest `$clusterTime` that a server has sent, with its signature."""

    def __init__(self) -> None:
        self.latest: Mapping[str, Any] | None = None

    def learn(self, cluster_time: Mapping[str, Any]) -> None:
        if self.latest is None or cluster_time["clusterTime"] > self.latest["clusterTime"]:
            self.latest = cluster_time

    def pin_snapshot(self, concern: Mapping[str, Any]) -> dict[str, Any]:
        """A read concern for all shards: a snapshot without a time gets one, so that all read at the same time.

        It is the newest time known, and not before the client's `afterClusterTime`.
        """
        if concern.get("level") != "snapshot" or "atClusterTime" in concern:
            return dict(concern)
        known = [concern.get("afterClusterTime", Timestamp(0, 1))]
        if self.latest is not None:
            known.append(self.latest["clusterTime"])
        pinned = {key: value for key, value in concern.items() if key != "afterClusterTime"}
        return {**pinned, "atClusterTime": max(known)}
