"""What podman knows of an environment's hosts, and what their containers are called.

Standard library only, because ops/preflight.py asks before anything is installed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ops import podman
from ops.paths import ROOT


@dataclass(frozen=True)
class Container:
    """A host as podman knows it.

    `state` is podman's: created, running, paused, exited, ...; `image` is its image's name. `copy` is the copy of this
    repository that made it, which alone has its secrets.
    """

    host: str
    address: str
    state: str
    image: str = ""
    copy: str = str(ROOT)

    @classmethod
    def from_podman(cls, entry: dict[str, Any]) -> Container:
        labels = entry["Labels"]
        host = entry["Names"][0].removeprefix(container_name(labels["film-library-env"], ""))
        copy = labels.get("film-library-copy", str(ROOT))
        return cls(host, labels["film-library-address"], entry["State"], entry["Image"], copy)


def network_name(env: str) -> str:
    return f"film-library-{env}"


def container_name(env: str, host: str) -> str:
    return f"film-library-{env}-{host}"


def exists(env: str) -> bool:
    """Whether the environment's network is there, that is, something was made and not taken down."""
    return podman.run("network", "exists", network_name(env), check=False).returncode == 0


def containers(env: str) -> dict[str, Container]:
    """The hosts of the environment that exist, by name."""
    listing = podman.run("ps", "--all", "--format", "json", "--filter", f"label=film-library-env={env}").stdout
    found = (Container.from_podman(entry) for entry in json.loads(listing or "[]") or [])
    return {container.host: container for container in found}
