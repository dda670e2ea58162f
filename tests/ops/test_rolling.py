"""The order of `make cluster-restart` over several sets, with modules that only note what they are asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.paths import ANSIBLE

#: Notes every restart in a file, and fails for one member. Without one, the lock is lost once shard2 has begun.
MODULE = """#!/usr/bin/python
# WANT_JSON
import json, sys
asked = json.load(open(sys.argv[1]))
member = asked.get("local_member")
if member:
    with open("{log}", "a") as log:
        log.write(member + chr(10))
failed = member == "{failing}"
held = "{failing}" != "" or "shard2" not in open("{log}").read()
answer = {{"primary": asked["members"][0]}} if "members" in asked else {{"held": held}}
print(json.dumps({{"changed": bool(member), "failed": failed, "msg": "", **answer}}))
"""

PLAY: list[dict[str, Any]] = [
    {
        "hosts": "all",
        "gather_facts": False,
        "vars": {
            "replica_set_list": "{{ cluster_replica_sets | selectattr('bootstrap_host', 'eq', inventory_hostname) }}",
            "mongod_admins": {role: {"name": "admin", "password": "secret"} for role in ("configsvr", "shardsvr")},
            "mongod_client_python": sys.executable,
            "change_gate_admins": {"configsvr": {"name": "admin", "password": "secret"}},
            "change_gate_router_hosts": ["a"],
            "change_gate_client_python": sys.executable,
            "change_gate_verb": "cluster-restart",
        },
        "tasks": [{"ansible.builtin.import_tasks": str(ANSIBLE / "playbooks/tasks/rolling.yml")}],
    }
]


def replica_set(name: str, role: str, bootstrap: str) -> dict[str, Any]:
    members = [f"{host}:{name}" for host in "abc"]
    return {"name": name, "cluster_role": role, "members": members, "bootstrap_host": bootstrap}


SETS = [
    replica_set("config", "configsvr", "a"),
    *(replica_set(f"shard{number}", "shardsvr", "abc"[number % 3]) for number in range(1, 5)),
]


@pytest.mark.parametrize(
    ("at_once", "failing", "untouched"),
    [
        ("1", "b:shard2", ["shard3", "shard4"]),
        ("2", "b:shard1", ["shard3", "shard4"]),
        ("1", "", ["shard3", "shard4"]),
    ],
)
def test_no_other_set_is_begun_after_a_failure(
    tmp_path: Path, at_once: str, failing: str, untouched: list[str]
) -> None:
    log = tmp_path / "log"
    log.touch()
    for module in ("mongodb_member_restart", "mongodb_replica_set_health", "mongodb_change"):
        (tmp_path / f"{module}.py").write_text(MODULE.format(log=log, failing=failing))
    (tmp_path / "play.yml").write_text(json.dumps(PLAY))
    variables = {"cluster_replica_sets": SETS, "restart_shards_at_once": at_once, "ansible_connection": "local"}
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("ansible-playbook")), "--inventory=a,b,c,"),
            *("--extra-vars", json.dumps(variables), str(tmp_path / "play.yml")),
        ],
        cwd=ANSIBLE,
        env=os.environ | {"ANSIBLE_LIBRARY": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout
    order = log.read_text().split()
    names = [member.partition(":")[2] for member in order]
    assert set(names) == {entry["name"] for entry in SETS} - set(untouched)
    # The first listed is the primary.
    each = [[member[0] for member in order if member.endswith(name)] for name in dict.fromkeys(names)]
    assert all(one == list("bca")[: len(one)] for one in each)
    assert names.count(failing[2:] or "shard2") == (1 if failing else 3), "the set isn't touched any more"
    if at_once == "1":
        assert names == sorted(names), "one set after the other"
