"""Ctrl-C during apply: everything created until then can be destroyed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from ops.processes import wait_for
from tests.terraform import account
from tests.terraform.cluster import Cluster


def test_an_interrupted_apply_can_be_destroyed(new_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    cluster = new_cluster()
    log = tmp_path / "apply.log"
    with cluster.workspace.start_apply(cluster.variables, log) as apply:
        wait_for("instance", cluster.instances)
        apply.send_signal(signal.SIGINT)
        assert apply.wait() != 0
    assert "Interrupt received" in log.read_text()
    assert account.holdings(cluster.aws) != cluster.before

    cluster.workspace.destroy()
    assert account.holdings(cluster.aws) == cluster.before
