"""The whole system on hosts with another release than this machine's: HOST_SUITE, or another supported one.

The tests run in order: the first builds the cluster, the others check it.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from ops import podman, system
from ops.certificates import CA_FILE
from ops.containers import container_name
from ops.down import down
from ops.paths import ROOT, build_dir, secrets_dir
from ops.settings import Settings
from ops.topology import ADMIN_APP_PORT, USER_APP_PORT

pytestmark = pytest.mark.hosts
ENV = "test"
#: The release to test on each machine's release, unless HOST_SUITE is set.
OTHER = {"bookworm": "trixie", "trixie": "bookworm", "jammy": "noble", "noble": "jammy"}
SETTINGS = Settings.read({"ENV": ENV})


@pytest.fixture(scope="module")
def suite() -> Iterator[str]:
    """The release. Removes its hosts before and after the tests."""
    name = os.environ.get(system.SUITE_VARIABLE) or OTHER.get(system.own().suite)
    if name is None:
        pytest.skip(f"HOST_SUITE isn't set, and there is no other release to test on {system.own().suite}")
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


def test_its_hosts_have_that_release_and_are_healthy(suite: str) -> None:
    for host in SETTINGS.hosts:
        script = (
            ". /etc/os-release; echo $VERSION_CODENAME; systemctl is-system-running; systemctl --failed --no-legend"
        )
        output = podman.run("exec", container_name(ENV, host.name), "sh", "-c", script).stdout
        assert output.split() == [suite, "running"], host.name


def test_every_process_is_healthy_and_the_films_are_loaded(suite: str) -> None:
    result = run("ops", "status", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    state: dict[str, Any] = json.loads(result.stdout)
    assert state["healthy"]
    assert sum(shard["movies"] for shard in state["documents"].values()) > 17_000


def test_both_apps_show_a_page(suite: str) -> None:
    (router,) = (host for host in SETTINGS.hosts if "web" in host.groups)
    trust = ssl.create_default_context(cafile=str(secrets_dir(ENV) / CA_FILE))
    for port, words in ((USER_APP_PORT, "Film Library"), (ADMIN_APP_PORT, "Log in")):
        with urlopen(f"https://{router.address}:{port}/", timeout=30, context=trust) as page:
            assert words.lower() in page.read().decode().lower()


def test_the_roles_tests_pass(suite: str) -> None:
    inventory = str(build_dir(ENV) / "inventory.yml")
    result = run("pytest", "-q", "tests/roles/cluster", FILM_LIBRARY_INVENTORY=inventory)
    assert result.returncode == 0, result.stdout


def test_a_second_run_changes_nothing_and_keeps_the_release(suite: str) -> None:
    """Even without HOST_SUITE."""
    result = run("ops", "up", HOST_SUITE="")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"changed=0\b", result.stdout + result.stderr)
    test_its_hosts_have_that_release_and_are_healthy(suite)
