"""An inventory that doesn't match the running cluster stops the play before it changes anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ops.paths import ANSIBLE
from tests.deployed import Deployment, Inventory


def play(inventory: Path, playbook: str = "site.yml") -> subprocess.CompletedProcess[str]:
    tools = Path(sys.executable).parent
    return subprocess.run(
        [str(tools / "ansible-playbook"), "--inventory", str(inventory), playbook],
        check=False,
        cwd=ANSIBLE,
        env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("    shard2:\n", "    shard7:\n", id="shard"),
        pytest.param("    config:\n", "    settings:\n", id="config", marks=pytest.mark.thorough),
    ],
)
def test_a_renamed_set_stops_the_play(
    old: str, new: str, inventory: Inventory, deployment: Deployment, tmp_path: Path
) -> None:
    router = deployment.client(inventory.routers[0], "cluster-admin")
    films = router["movie_library"]["movies"].count_documents({})
    text = inventory.path.read_text()
    assert text.count(old) == 1
    renamed = tmp_path / "inventory.yml"
    renamed.write_text(text.replace(old, new))
    result = play(renamed)
    assert result.returncode != 0
    assert set(re.findall(r"changed=(\d+)", result.stdout)) <= {"0"}, result.stdout
    assert router["movie_library"]["movies"].count_documents({}) == films
