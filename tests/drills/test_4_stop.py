"""A cluster that isn't whole is not stopped in order: what is left of an ailing set must go on."""

from __future__ import annotations

from tests.deployed import Deployment, Inventory
from tests.drills.test_2_power_loss import caught_up, wait_for
from tests.drills.test_3_other_inventory import play


def test_an_ailing_replica_set_stops_the_play(inventory: Inventory, deployment: Deployment) -> None:
    ailing = inventory.replica_sets["shard1"][-1]
    host = deployment.host(ailing.host)
    host.run_expect([0], f"systemctl stop {ailing.unit}")
    try:
        result = play(inventory.path, "playbooks/stop.yml")
        running = {
            process: deployment.host(process.host).service(process.unit).is_running for process in inventory.processes
        }
    finally:
        host.run_expect([0], f"systemctl start {ailing.unit}")
        wait_for(lambda: caught_up(deployment, inventory, ailing.host), f"healthy members on {ailing.host}")
    assert result.returncode != 0
    assert "shard1 isn't whole after 30 s" in result.stdout
    assert [str(process) for process, runs in running.items() if not runs] == [str(ailing)]
