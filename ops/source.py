"""Where the hosts get MongoDB's packages from: its own apt repository, or the offline mirror.

Both look the same to the roles: an address, a suite, a component and a signing key.
"""

from __future__ import annotations

import platform
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import yaml

from ops import mirror
from ops.errors import OpsError
from ops.paths import build_dir
from ops.settings import OFFLINE_VERSIONS, Settings

_OFFICIAL = "https://repo.mongodb.org/apt"
_OFFICIAL_KEY = "https://pgp.mongodb.com/server-{version}.asc"
_OFFICIAL_DEFAULT = "8.0"
_OFFICIAL_COMPONENT = {"debian": "main", "ubuntu": "multiverse"}
_ANSWER_SECONDS = 3.0


class SourceError(OpsError):
    """The wanted package source can't be had; the message says why and what else there is."""


@dataclass(frozen=True)
class PackageSource:
    """An apt repository with MongoDB's packages. `version` is a release series like "8.0"."""

    official: bool
    version: str
    uri: str
    suite: str
    component: str
    key_file: Path

    def variables(self) -> dict[str, str]:
        """The inventory variables that describe it to the roles."""
        return {
            "mongodb_version": self.version,
            "mongodb_apt_uri": self.uri,
            "mongodb_apt_suite": self.suite,
            "mongodb_apt_component": self.component,
            "mongodb_apt_key_file": str(self.key_file),
        }


def choose(settings: Settings) -> PackageSource:
    """The source that SOURCE and MONGODB_VERSION ask for, ready to be used.

    A cluster that is there already keeps its own: another release series is an upgrade with an order of its own, and
    whether a repository answers today must not decide it. Raises SourceError, or what ops.mirror.ensure raises.
    """
    if running := _running(settings.env):
        return _keep(running, settings)
    if settings.source == "offline" or settings.mongodb_version in OFFLINE_VERSIONS:
        return offline()
    try:
        return official(settings.mongodb_version or _OFFICIAL_DEFAULT, build_dir(settings.env))
    except SourceError as error:
        if settings.source == "official":
            raise
        if settings.mongodb_version:
            message = f"{error}\nMONGODB_VERSION={settings.mongodb_version}: the offline mirror has only "
            raise SourceError(message + ", ".join(OFFLINE_VERSIONS)) from error
        return offline()


def _running(env: str) -> dict[str, str] | None:
    """The inventory's variables of the environment as it was built; None before that."""
    inventory = build_dir(env) / "inventory.yml"
    if not inventory.exists():
        return None
    return dict(yaml.safe_load(inventory.read_text())["all"]["vars"])


def _keep(running: dict[str, str], settings: Settings) -> PackageSource:
    """The running cluster's source. Raises SourceError when the settings ask for another one."""
    version = running["mongodb_version"]
    kind = "official" if running["mongodb_apt_uri"].startswith(_OFFICIAL) else "offline"
    if settings.source not in ("auto", kind) or settings.mongodb_version not in ("", version):
        wanted = f"SOURCE={settings.source} MONGODB_VERSION={settings.mongodb_version or 'any'}"
        raise SourceError(
            f"{wanted}: the cluster runs {version} from SOURCE={kind}, and a new release is not installed over it. "
            f"Leave both variables out, or run `make cluster-down ENV={settings.env}` first."
        )
    if kind == "offline":
        return offline()
    key_file = Path(running["mongodb_apt_key_file"])
    return PackageSource(
        True,
        version,
        running["mongodb_apt_uri"],
        running["mongodb_apt_suite"],
        running["mongodb_apt_component"],
        key_file,
    )


def official(version: str, directory: Path) -> PackageSource:
    """MongoDB's own repository, if it answers and has this version for this distribution; else SourceError.

    Its signing key is fetched into `directory`.
    """
    system = platform.freedesktop_os_release()
    uri = f"{_OFFICIAL}/{system['ID']}"
    suite = f"{system['VERSION_CODENAME']}/mongodb-org/{version}"
    _fetch(f"{uri}/dists/{suite}/Release", method="HEAD")
    key = _fetch(_OFFICIAL_KEY.format(version=version), method="GET")
    directory.mkdir(parents=True, exist_ok=True)
    key_file = directory / f"mongodb-{version}.asc"
    key_file.write_bytes(key)
    return PackageSource(True, version, uri, suite, _OFFICIAL_COMPONENT[system["ID"]], key_file)


def offline() -> PackageSource:
    """The offline mirror, built first when it isn't there or something in it changed."""
    version = OFFLINE_VERSIONS[0]
    suite = f"{platform.freedesktop_os_release()['VERSION_CODENAME']}/mongodb-org/{version}"
    mirror.ensure(suite)
    return PackageSource(False, version, f"file://{mirror.MOUNT}", suite, mirror.COMPONENT, mirror.KEY_FILE)


def _fetch(url: str, *, method: str) -> bytes:
    request = urllib.request.Request(url, method=method)  # noqa: S310 - one of the addresses above
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:  # noqa: S310
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        raise SourceError(f"MongoDB's repository has no {url} ({error.code})") from error
    except OSError as error:
        raise SourceError(f"MongoDB's repository doesn't answer within {_ANSWER_SECONDS:g} s: {error}") from error
