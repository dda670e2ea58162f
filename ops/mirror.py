"""Where MongoDB's packages come from: its own apt repository, or one built here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ops.paths import CACHE

MIRROR = CACHE / "mirror"
#: Where every local host sees MIRROR, read-only.
MOUNT = "/srv/film-library-mirror"


@dataclass(frozen=True)
class PackageSource:
    """An apt repository with MongoDB's packages, as the roles are told of it."""

    name: str
    version: str
    uri: str
    suite: str
    component: str
    key_file: Path

    def variables(self) -> dict[str, str]:
        """The inventory variables that describe it."""
        return {
            "mongodb_version": self.version,
            "mongodb_apt_uri": self.uri,
            "mongodb_apt_suite": self.suite,
            "mongodb_apt_component": self.component,
            "mongodb_apt_key_file": str(self.key_file),
        }


def offline() -> PackageSource:
    return PackageSource(
        name="offline",
        version="6.0",
        uri=f"file://{MOUNT}",
        suite="bookworm/mongodb-org/6.0",
        component="main",
        key_file=MIRROR / "signing-key.asc",
    )
