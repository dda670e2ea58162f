"""The cluster's processes as `monitoring` sees them by serverStatus and replSetGetStatus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.db.core import Row

RATE_INTERVAL_S = 1.0  # between two readings of the counters, when there is no earlier reading
RATE_MEMORY_S = 120.0  # older readings say little about now

PRIMARY, SECONDARY, UP = "PRIMARY", "SECONDARY", "up"  # UP: a router, or a mongod outside a replica set


@dataclass(frozen=True)
class Member:
    """A process. Unknown values are None or empty; `rates` are operations per second by kind."""

    group: str  # its replica set, or the routers
    address: str
    state: str  # from replSetGetStatus, or UP; or why there is no data
    lag: float | None = None  # seconds that a secondary is behind the primary
    version: str = ""
    uptime: int | None = None  # seconds
    connections: int | None = None
    memory: int | None = None  # bytes resident
    operations: dict[str, int] = field(default_factory=dict)  # since its start, by kind
    rates: dict[str, float] | None = None
    standin: bool = False
    certificate_end: datetime | None = None  # None without TLS

    @property
    def healthy(self) -> bool:
        return self.state in (PRIMARY, SECONDARY, "ARBITER", UP)

    @property
    def rate(self) -> float | None:
        """All operations per second."""
        return None if self.rates is None else sum(self.rates.values())


@dataclass(frozen=True)
class Answer:
    """A process's answer at a `time.monotonic`; without a status if it gave no data."""

    group: str
    address: str
    state: str
    at: float
    status: Row | None = None
    written: datetime | None = None  # its latest write

    def member(self, answers: Sequence["Answer"], earlier: Mapping[str, "Answer"]) -> Member:
        """As a Member. Lag is relative to the latest write of any member of the set."""
        if self.status is None:
            return Member(self.group, self.address, self.state)
        latest = max((a.written for a in answers if a.group == self.group and a.written), default=None)
        return Member(
            group=self.group,
            address=self.address,
            state=self.state,
            lag=(latest - self.written).total_seconds() if latest and self.written else None,
            version=self.status["version"],
            uptime=int(self.status["uptime"]),
            connections=int(self.status["connections"]["current"]),
            memory=int(self.status["mem"]["resident"]) * 2**20,
            operations=self._counters(),
            rates=self.rates(earlier),
            standin=bool(self.status.get("standin")),
            certificate_end=self.status.get("security", {}).get("SSLServerCertificateExpirationDate"),
        )

    def rates(self, earlier: Mapping[str, "Answer"]) -> dict[str, float] | None:
        """Operations per second by kind since an earlier answer; None without a suitable one, or after a restart."""
        before = earlier.get(self.address)
        if before is None or before.status is None or self.status is None:
            return None
        seconds = self.at - before.at
        if not RATE_INTERVAL_S / 2 <= seconds <= RATE_MEMORY_S or self.status["uptime"] < before.status["uptime"]:
            return None
        old = before._counters()
        return {kind: (count - old.get(kind, 0)) / seconds for kind, count in self._counters().items()}

    def _counters(self) -> dict[str, int]:
        counters = (self.status or {}).get("opcounters", {})
        return {kind: int(count) for kind, count in counters.items() if isinstance(count, int)}
