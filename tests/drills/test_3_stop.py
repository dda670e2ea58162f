"""`stop.yml` refuses to stop a degraded cluster: the rest of a degraded set must keep running."""

from __future__ import annotations

from tests.deployed import Deployment, Inventory
from tests.drills.test_1_power_loss import caught_up, wait_for
from tests.drills.test_2_other_inventory import play


def test_a_degraded_replica_set_fails_the_play(inventory: Inventory, deployment: Deployment) -> None:
    degraded = inventory.replica_sets["shard1"][-1]
    host = deployment.host(degraded.host)
    host.run_expect([0], f"systemctl stop {degraded.unit}")
    try:
        result = play(inventory.path, "playbooks/stop.yml")
        running = {
            process: deployment.host(process.host).service(process.unit).is_running for process in inventory.processes
        }
    finally:
        host.run_expect([0], f"systemctl start {degraded.unit}")
        wait_for(lambda: caught_up(deployment, inventory, degraded.host), f"healthy members on {degraded.host}")
    assert result.returncode != 0
    assert "shard1 isn't healthy after 30 s" in result.stdout
    assert [str(process) for process, runs in running.items() if not runs] == [str(degraded)]
