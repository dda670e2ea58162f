"""The whole system on hosts of another release than this machine's: HOST_SUITE's, or one that the project supports.

The tests run in their order: the first builds the cluster, the others look at it, and it is gone at the end.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from ops import podman, system
from ops.containers import container_name
from ops.down import down
from ops.paths import ROOT, build_dir
from ops.settings import Settings

pytestmark = pytest.mark.hosts
ENV = "test"
#: What to try on a machine of each release when HOST_SUITE doesn't say.
OTHER = {"bookworm": "trixie", "trixie": "bookworm", "jammy": "noble", "noble": "jammy"}
WISH = Settings.read({"ENV": ENV})


@pytest.fixture(scope="module")
def suite() -> Iterator[str]:
    """The release; hosts of it are there from the first test on, and none at the end."""
    name = os.environ.get(system.SUITE_VARIABLE) or OTHER.get(system.own().suite)
    if name is None:
        pytest.skip(f"HOST_SUITE isn't set, and nobody said what to try on {system.own().suite}")
    down(ENV, {})
    yield name
    down(ENV, {})


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ENV": ENV} | variables
    return subprocess.run(
        [sys.executable, "-m", *command], check=False, capture_output=True, text=True, cwd=ROOT, env=environment
    )


def test_a_cluster_comes_up(suite: str) -> None:
    result = run("ops", "up", HOST_SUITE=suite)
    assert result.returncode == 0, result.stdout + result.stderr


def test_its_hosts_are_of_that_release_and_whole(suite: str) -> None:
    for host in WISH.hosts:
        script = (
            ". /etc/os-release; echo $VERSION_CODENAME; systemctl is-system-running; systemctl --failed --no-legend"
        )
        output = podman.run("exec", container_name(ENV, host.name), "sh", "-c", script).stdout
        assert output.split() == [suite, "running"], host.name


def test_every_process_is_well_and_the_films_are_there(suite: str) -> None:
    result = run("ops", "status", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    state: dict[str, Any] = json.loads(result.stdout)
    assert state["healthy"]
    assert sum(shard["movies"] for shard in state["documents"].values()) > 17_000


def test_both_apps_show_a_page(suite: str) -> None:
    (router,) = (host for host in WISH.hosts if "web" in host.groups)
    for port, words in ((80, "Film Library"), (8080, "Log in")):
        with urlopen(f"http://{router.address}:{port}/", timeout=30) as page:
            assert words.lower() in page.read().decode().lower()


def test_what_the_roles_promise_holds(suite: str) -> None:
    inventory = str(build_dir(ENV) / "inventory.yml")
    result = run("pytest", "-q", "tests/roles/cluster", FILM_LIBRARY_INVENTORY=inventory)
    assert result.returncode == 0, result.stdout


def test_a_second_run_changes_nothing_and_keeps_the_release(suite: str) -> None:
    """Also when it doesn't say HOST_SUITE any more."""
    result = run("ops", "up", HOST_SUITE="")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"changed=0\b", result.stdout + result.stderr)
    test_its_hosts_are_of_that_release_and_whole(suite)
