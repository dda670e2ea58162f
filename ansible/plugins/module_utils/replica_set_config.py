"""Replica set configurations as plain data: differences from the inventory and the next step to remove them.

Doesn't talk to any server.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]

#: MongoDB's limit. Members beyond it hold data but have no vote.
MAX_VOTING_MEMBERS = 7


@dataclass(frozen=True)
class Step:
    """One reconfiguration: the new configuration, and the member that it adds or removes, if any."""

    config: Document
    added: str | None = None
    removed: str | None = None


def hosts(config: Document) -> list[str]:
    """The configuration's members as host:port, in order."""
    return [member["host"] for member in config["members"]]


def initial(name: str, member: str, *, configsvr: bool, settings: Document) -> Document:
    """The configuration of a new set: a single member, which elects itself at once."""
    config: Document = {"_id": name, "members": [{"_id": 0, "host": member}]}
    if configsvr:
        config["configsvr"] = True
    if settings:
        config["settings"] = dict(settings)
    return config


def next_step(current: Document, wanted: list[str], settings: Document) -> Step | None:
    """The next reconfiguration from `current` to the wanted members and settings. None if there is no difference.

    MongoDB allows one voting change at a time. Adds members before it removes others, so that the set never has fewer
    than it ends up with. Leaves other settings alone.
    """
    config = copy.deepcopy(current)
    config["version"] = current["version"] + 1
    missing = [host for host in wanted if host not in hosts(current)]
    surplus = [host for host in hosts(current) if host not in wanted]
    if missing:
        member: Document = {"_id": max(m["_id"] for m in current["members"]) + 1, "host": missing[0]}
        if sum(m.get("votes", 1) for m in current["members"]) >= MAX_VOTING_MEMBERS:
            member |= {"votes": 0, "priority": 0}
        config["members"].append(member)
        return Step(config, added=missing[0])
    if surplus:
        config["members"] = [m for m in config["members"] if m["host"] != surplus[0]]
        return Step(config, removed=surplus[0])
    if any(current.get("settings", {}).get(key) != value for key, value in settings.items()):
        config["settings"] = {**current.get("settings", {}), **settings}
        return Step(config)
    return None


def conflicts(name: str, greetings: dict[str, Document | None]) -> list[str]:
    """The differences that no reconfiguration can fix, from each member's answer to `hello` (None: no answer).

    Returns one sentence for each member that contradicts the inventory.
    """
    found = []
    for host, greeting in greetings.items():
        if greeting is None or greeting.get("setName") == name:
            continue
        if other := greeting.get("setName"):
            found.append(f"{host} is a member of replica set {other} ({', '.join(greeting.get('hosts', []))})")
        elif not greeting.get("isreplicaset"):
            found.append(f"{host} runs without a replica set ({greeting.get('msg', 'a standalone mongod')})")
    return found


def initialised(name: str, greetings: dict[str, Document | None]) -> list[str]:
    """The members that report being part of the set."""
    return [host for host, greeting in greetings.items() if greeting and greeting.get("setName") == name]
