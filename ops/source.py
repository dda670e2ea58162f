"""Where hosts get MongoDB's packages from: its own apt repository, the user's mirror, or the offline mirror.

To the roles each is an address, a suite, a component and a signing key.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ops import mirror, packages, system
from ops.errors import OpsError
from ops.paths import build_dir
from ops.settings import OFFLINE_VERSIONS, Settings

_OFFICIAL = "https://repo.mongodb.org/apt"
_OFFICIAL_KEY = "https://pgp.mongodb.com/server-{version}.asc"
_OFFLINE = f"file://{mirror.MOUNT}"
_OFFICIAL_DEFAULT = "8.0"
_OFFICIAL_COMPONENT = {"debian": "main", "ubuntu": "multiverse"}
_ANSWER_SECONDS = 3.0


class SourceError(OpsError):
    """The requested package source isn't available; the message says why, and what is."""


@dataclass(frozen=True)
class PackageSource:
    """An apt repository with MongoDB's packages. `version` is a release series like "8.0".

    `router` is the exact version of the router's package; empty if any of the series will do.
    """

    kind: str  # official, offline or mirror
    version: str
    uri: str
    suite: str
    component: str
    key_file: Path
    router: str = ""

    def variables(self) -> dict[str, Any]:
        """The roles' variables for this source."""
        variables: dict[str, Any] = {
            "mongodb_version": self.version,
            "mongodb_apt_uri": self.uri,
            "mongodb_apt_suite": self.suite,
            "mongodb_apt_component": self.component,
            "mongodb_apt_key_file": str(self.key_file),
        }
        if self.router:
            variables["mongodb_package_versions"] = {"mongodb-org-mongos": self.router}
        return variables


def choose(settings: Settings) -> PackageSource:
    """The source that SOURCE and MONGODB_VERSION ask for, ready to use.

    An existing cluster keeps its source: changing the release series is an upgrade, which must not depend on whether a
    repository responds today. Raises SourceError, or what ops.mirror.ensure raises.
    """
    if running := _running(settings.env):
        return _keep(running, settings)
    if settings.source == "mirror":
        return _own_mirror(settings)
    if settings.source == "offline" or settings.mongodb_version in OFFLINE_VERSIONS:
        return offline()
    try:
        return official(
            settings.mongodb_version or _OFFICIAL_DEFAULT, build_dir(settings.env), distribution(settings.env)
        )
    except SourceError as error:
        if settings.source == "official" or settings.env == "aws":
            raise
        if settings.mongodb_version:
            message = f"{error}\nMONGODB_VERSION={settings.mongodb_version}: the offline mirror has only "
            raise SourceError(message + ", ".join(OFFLINE_VERSIONS)) from error
        return offline()


def distribution(env: str) -> tuple[str, str]:
    """The hosts' distribution as (id, codename): Ubuntu 24.04 on EC2, ops.system's for local hosts."""
    if env == "aws":
        return "ubuntu", "noble"
    hosts = system.of_hosts()
    return hosts.distribution, hosts.suite


def _running(env: str) -> PackageSource | None:
    """The source in the environment's inventory; None before it is built."""
    inventory = build_dir(env) / "inventory.yml"
    if not inventory.exists():
        return None
    variables = yaml.safe_load(inventory.read_text())["all"]["vars"]
    uri = variables["mongodb_apt_uri"]
    kind = "official" if uri.startswith(_OFFICIAL) else "offline" if uri == _OFFLINE else "mirror"
    return PackageSource(
        kind,
        variables["mongodb_version"],
        uri,
        variables["mongodb_apt_suite"],
        variables["mongodb_apt_component"],
        Path(variables["mongodb_apt_key_file"]),
    )


def _keep(running: PackageSource, settings: Settings) -> PackageSource:
    """The running cluster's source. Raises SourceError if the settings ask for another one."""
    if settings.source not in ("auto", running.kind) or settings.mongodb_version not in ("", running.version):
        wanted = f"SOURCE={settings.source} MONGODB_VERSION={settings.mongodb_version or 'any'}"
        raise SourceError(
            f"{wanted}: the cluster runs {running.version} from SOURCE={running.kind}, and a new release is not "
            f"installed over it. Unset both variables, or run `make cluster-down ENV={settings.env}` first."
        )
    if running.kind == "offline":
        return offline()
    return _own_mirror(settings) if settings.source == "mirror" else running  # a mirror may have moved


def _own_mirror(settings: Settings) -> PackageSource:
    uri, suite, component, key = settings.apt
    key_file = Path(key).expanduser().resolve()
    if not key_file.is_file():
        raise SourceError(f"APT_KEY_FILE={key}: no such file; it must be the repository's armored signing key")
    return PackageSource("mirror", settings.mongodb_version, uri, suite, component, key_file)


def official(version: str, directory: Path, release: tuple[str, str]) -> PackageSource:
    """MongoDB's own repository. Raises SourceError unless it responds and has this version for this distribution.

    Downloads its signing key to `directory`.
    """
    identity, codename = release
    uri = f"{_OFFICIAL}/{identity}"
    suite = f"{codename}/mongodb-org/{version}"
    _fetch(f"{uri}/dists/{suite}/Release", method="HEAD")
    key = _fetch(_OFFICIAL_KEY.format(version=version), method="GET")
    directory.mkdir(parents=True, exist_ok=True)
    key_file = directory / f"mongodb-{version}.asc"
    key_file.write_bytes(key)
    return PackageSource("official", version, uri, suite, _OFFICIAL_COMPONENT[identity], key_file)


def offline() -> PackageSource:
    """The offline mirror, built first if it is missing or outdated.

    The router is the stand-in of this checkout: an older one may not know what the roles write into its configuration.
    """
    version = OFFLINE_VERSIONS[0]
    suite = f"mongodb-org/{version}"  # the same for all distributions
    mirror.ensure(suite)
    return PackageSource("offline", version, _OFFLINE, suite, mirror.COMPONENT, mirror.KEY_FILE, packages.version())


def _fetch(url: str, *, method: str) -> bytes:
    request = urllib.request.Request(url, method=method)  # noqa: S310 - an address from above
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:  # noqa: S310
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        raise SourceError(f"MongoDB's repository has no {url} ({error.code})") from error
    except OSError as error:
        raise SourceError(f"MongoDB's repository doesn't answer within {_ANSWER_SECONDS:g} s: {error}") from error
