"""Which units the role `backup` starts and stops. A cluster that makes backups goes on, whatever is to be restored."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ops.paths import ANSIBLE

TASKS = {task["name"]: task for task in yaml.safe_load((ANSIBLE / "roles/backup/tasks/run.yml").read_text())}
ROLE_VARS = yaml.safe_load((ANSIBLE / "roles/backup/vars/main.yml").read_text())
#: As `systemd_unit_state` returns them.
NEVER_RAN = {"down": ["a", "b"], "up": [], "stale": {}}
RUN = {"down": [], "up": ["a", "b"], "stale": {"a": "is older"}}
STOPPED = {"down": ["a", "b"], "up": ["a", "b"], "stale": {}}  # and enabled, as after `make cluster-stop`


def handled(task: str, state: dict[str, Any], *, paused: bool, active: bool = True) -> set[str]:
    """The units that a task starts or stops."""
    variables = {"backup_active": active, "backup_paused": paused, "backup_state": state, "backup_store": "/backups"}
    trusted = {name: trust_as_template(value) for name, value in ROLE_VARS.items() if isinstance(value, str)}
    templar = Templar(DataLoader(), variables=trusted | variables)
    wanted: bool = templar.evaluate_conditional(trust_as_template(TASKS[task]["when"]))
    return set(templar.template(trust_as_template(TASKS[task]["loop"]))) if wanted else set()


@pytest.mark.parametrize(
    ("state", "paused", "started"),
    [
        (NEVER_RAN, False, {"a", "b"}),
        (NEVER_RAN, True, set()),
        (RUN, False, {"a"}),
        (RUN, True, {"a"}),
        (STOPPED, False, {"a", "b"}),
        (STOPPED, True, {"a", "b"}),
    ],
)
def test_a_pause_holds_back_only_what_never_ran(state: dict[str, Any], paused: bool, started: set[str]) -> None:
    assert handled("Run the units, now and at boot", state, paused=paused) == started
    assert handled("Stop the units, now and at boot", state, paused=paused) == set()


@pytest.mark.parametrize("paused", [False, True])
def test_other_hosts_make_no_backups(paused: bool) -> None:
    assert handled("Run the units, now and at boot", STOPPED, paused=paused, active=False) == set()
    assert handled("Stop the units, now and at boot", RUN, paused=paused, active=False) == {"a", "b"}


def test_a_started_cluster_begins_no_backups_that_wait_for_a_restore() -> None:
    plays = yaml.safe_load((ANSIBLE / "playbooks/start.yml").read_text())
    tasks = [task for play in plays for task in play["tasks"] if task["name"] == "Run the backups"]
    assert [task.get("vars") for task in tasks] == [{"backup_paused": True}]
