"""The state of the cluster and of the data in it, for dashboards, metrics and `film-library status`."""

from app.db.cluster import figures, status
from app.db.cluster.figures import Counted, Counts, Figures, Unit
from app.db.cluster.monitoring import ROUTER, Monitor, Survey
from app.db.cluster.processes import PRIMARY, Member

__all__ = [
    "PRIMARY",
    "ROUTER",
    "Counted",
    "Counts",
    "Figures",
    "Member",
    "Monitor",
    "Survey",
    "Unit",
    "figures",
    "status",
]
