"""Plans from one replica set configuration to another, without a server."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from ops.paths import ANSIBLE

_SPEC = importlib.util.spec_from_file_location(
    "replica_set_config", ANSIBLE / "plugins/module_utils/replica_set_config.py"
)
assert _SPEC
assert _SPEC.loader
plan = importlib.util.module_from_spec(_SPEC)
__import__("sys").modules["replica_set_config"] = plan
_SPEC.loader.exec_module(plan)


def config(*hosts: str, **entries: Any) -> dict[str, Any]:
    return {"_id": "s", "version": 3, "members": [{"_id": n, "host": host} for n, host in enumerate(hosts)], **entries}


def steps(current: dict[str, Any], wanted: list[str], settings: dict[str, Any] | None = None) -> list[Any]:
    found = []
    while step := plan.next_step(current, wanted, settings or {}):
        found.append(step)
        current = step.config
    return found


def test_equal_members_need_no_step() -> None:
    assert steps(config("a:1", "b:1", "c:1"), ["c:1", "a:1", "b:1"]) == []


def test_every_step_changes_one_member_and_additions_come_first() -> None:
    found = steps(config("a:1", "b:1", "c:1"), ["c:1", "d:1", "e:1"])
    assert [(step.added, step.removed) for step in found] == [
        ("d:1", None),
        ("e:1", None),
        (None, "a:1"),
        (None, "b:1"),
    ]
    assert [step.config["version"] for step in found] == [4, 5, 6, 7]
    assert plan.hosts(found[-1].config) == ["c:1", "d:1", "e:1"]


def test_a_new_member_gets_an_unused_id() -> None:
    current = config("a:1", "b:1")
    current["members"][1]["_id"] = 7
    (step,) = steps(current, ["a:1", "b:1", "c:1"])
    assert [member["_id"] for member in step.config["members"]] == [0, 7, 8]


def test_the_eighth_member_has_no_vote() -> None:
    hosts = [f"h{n}:1" for n in range(8)]
    (step,) = steps(config(*hosts[:7]), hosts)
    assert step.config["members"][7] == {"_id": 7, "host": "h7:1", "votes": 0, "priority": 0}


def test_other_settings_are_kept() -> None:
    current = config("a:1", settings={"electionTimeoutMillis": 10000, "chainingAllowed": True})
    (step,) = steps(current, ["a:1"], {"electionTimeoutMillis": 5000})
    assert step.config["settings"] == {"electionTimeoutMillis": 5000, "chainingAllowed": True}


@pytest.mark.parametrize(
    ("greeting", "said"),
    [
        ({"setName": "other", "hosts": ["x:1"]}, "a:1 is a member of replica set other (x:1)"),
        ({"isWritablePrimary": True}, "a:1 runs without a replica set (a standalone mongod)"),
        ({"msg": "isdbgrid"}, "a:1 runs without a replica set (isdbgrid)"),
    ],
)
def test_conflicts_that_no_step_can_fix(greeting: dict[str, Any], said: str) -> None:
    assert plan.conflicts("s", {"a:1": greeting}) == [said]


@pytest.mark.parametrize("greeting", [None, {"setName": "s"}, {"isreplicaset": True}])
def test_other_answers_are_no_conflict(greeting: dict[str, Any] | None) -> None:
    assert plan.conflicts("s", {"a:1": greeting}) == []
