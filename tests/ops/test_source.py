"""Where packages come from: an existing cluster keeps its source, whether or not the repository responds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ops import source
from ops.mirror import MOUNT
from ops.paths import build_dir
from ops.settings import Settings
from ops.source import PackageSource, SourceError

OFFICIAL = PackageSource(
    "official", "8.0", "https://repo.mongodb.org/apt/debian", "bookworm/mongodb-org/8.0", "main", Path("k")
)
OFFLINE = PackageSource(
    "offline", "6.0", f"file://{MOUNT}", "bookworm/mongodb-org/6.0", "main", Path("k"), router="6.0.5+film.library.2"
)


@pytest.fixture(autouse=True)
def no_network(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The offline mirror is ready; MongoDB's repository isn't responding."""
    monkeypatch.setattr(source, "offline", lambda: OFFLINE)

    def no_answer(url: str, *, method: str) -> bytes:
        raise SourceError(f"{method} {url}: no answer")

    monkeypatch.setattr(source, "_fetch", no_answer)


def built_from(packages: PackageSource) -> None:
    build_dir("local").mkdir(parents=True)
    inventory = {"all": {"vars": packages.variables()}}
    (build_dir("local") / "inventory.yml").write_text(yaml.safe_dump(inventory))


def test_a_new_cluster_uses_the_mirror_if_the_repository_does_not_respond() -> None:
    assert source.choose(Settings.read({})) == OFFLINE


@pytest.mark.parametrize("packages", [OFFICIAL, OFFLINE], ids=["official", "offline"])
def test_a_running_cluster_keeps_its_source(packages: PackageSource) -> None:
    built_from(packages)
    assert source.choose(Settings.read({})) == packages


@pytest.mark.parametrize(
    ("packages", "variables"),
    [
        (OFFLINE, {"SOURCE": "official"}),
        (OFFLINE, {"MONGODB_VERSION": "8.0"}),
        (OFFICIAL, {"SOURCE": "offline"}),
        (OFFICIAL, {"MONGODB_VERSION": "7.0"}),
    ],
)
def test_another_release_over_a_running_cluster_is_refused(packages: PackageSource, variables: dict[str, str]) -> None:
    built_from(packages)
    with pytest.raises(SourceError, match=f"runs {packages.version} from SOURCE=") as refused:
        source.choose(Settings.read(variables))
    assert "make cluster-down ENV=local" in str(refused.value)


def test_a_running_cluster_gets_the_router_of_this_checkout() -> None:
    """An older stand-in refuses options that it doesn't know, in a configuration that the roles now write."""
    built_from(replace(OFFLINE, router="6.0.5+film.library.1"))
    variables = source.choose(Settings.read({})).variables()
    assert variables["mongodb_package_versions"] == {"mongodb-org-mongos": OFFLINE.router}


def test_mongodbs_own_packages_stay_as_they_are_installed() -> None:
    assert "mongodb_package_versions" not in OFFICIAL.variables()
