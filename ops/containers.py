"""An environment's containers: their names and their state according to podman.

Standard library only, because ops/preflight.py uses it before anything is installed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ops import podman
from ops.paths import ROOT


@dataclass(frozen=True)
class Container:
    """A host's container.

    `state` is podman's: created, running, paused, exited, ...; `image` is the image's name. `copy` is the clone of this
    repository that created it and has its secrets.
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
    """Whether the environment's network exists: something was built and not removed."""
    return podman.run("network", "exists", network_name(env), check=False).returncode == 0


def containers(env: str) -> dict[str, Container]:
    """The environment's existing hosts by name."""
    listing = podman.run("ps", "--all", "--format", "json", "--filter", f"label=film-library-env={env}").stdout
    found = (Container.from_podman(entry) for entry in json.loads(listing or "[]") or [])
    return {container.host: container for container in found}
