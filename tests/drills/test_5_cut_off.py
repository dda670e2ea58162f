"""New firewall rules that cut off the controller are undone, and a run with the right ones works again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from ops import ssh
from ops.paths import ANSIBLE
from tests.attempts import passes
from tests.deployed import Deployment, Inventory
from tests.drills.environment import ENV
from tests.drills.test_1_power_loss import wait_for

RULES = "nft --stateless list table inet film_library"
#: Seconds until the rules are undone: as the role's default, which is what the project promises.
ROLLBACK = 30


def run_role(
    inventory: Inventory, machine: str, role: str, tasks: str = "main", **variables: object
) -> subprocess.CompletedProcess[str]:
    """Runs an entry point of a role on one host."""
    tools = Path(sys.executable).parent
    command = [str(tools / "ansible"), machine, "--inventory", str(inventory.path), "--become"]
    command += ["--module-name", "include_role", "--args", f"name={role} tasks_from={tasks}"]
    command += ["--extra-vars", json.dumps(variables)]
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(command, check=False, cwd=ANSIBLE, env=environment, capture_output=True, text=True)


def test_rules_that_cut_off_the_controller_are_undone(inventory: Inventory, deployment: Deployment) -> None:
    machine = inventory.group("all")[0]
    address, before = inventory.address(machine), deployment.host(machine).check_output(RULES)
    variables = {"firewall_admin_networks": ["203.0.113.0/24"], "firewall_rollback_seconds": ROLLBACK}
    began = time.monotonic()
    result = run_role(inventory, machine, "firewall", **variables)
    assert result.returncode != 0, result.stdout[-3000:]
    assert "Connect again" in result.stdout or "timed out waiting" in result.stdout, result.stdout[-3000:]
    wait_for(lambda: passes((address, 22)), "way in")
    # The commands before the timer starts take some seconds, too.
    print(f"let in again {time.monotonic() - began:.0f} s after the command")
    logged_in = subprocess.run([*ssh.command(ENV, address), "true"], check=False, capture_output=True)
    assert logged_in.returncode == 0, logged_in.stderr
    host = deployment.host(machine)
    assert host.check_output(RULES) == before
    assert "203.0.113.0" not in host.check_output("cat /etc/film-library-firewall/boot.nft")
    assert run_role(inventory, machine, "firewall").returncode == 0
    assert host.check_output(RULES) == before
