"""What the members of a replica set say of it, asked of each by itself or of the primary.

`connection` is a client of the primary, logged in; members are named host:port. Raises PyMongoError unless stated.
"""

from __future__ import annotations

import time

from ansible.module_utils import replica_set_config as plan
from ansible.module_utils.mongodb_client import Document, MongoClient, PyMongoError, code_of, hello

#: Errors after which a reconfiguration is planned anew: another one overtook it (the server itself makes one when a new
#: member has its data), the last one isn't committed yet, or an election came between.
PLAN_AGAIN = {
    103,  # NewReplicaSetConfigurationIncompatible
    109,  # ConfigurationInProgress
    189,  # PrimarySteppedDown
    308,  # CurrentConfigNotCommittedYet
    10107,  # NotWritablePrimary
    11600,  # InterruptedAtShutdown
    11602,  # InterruptedDueToReplStateChange
}

_HEALTHY = ("PRIMARY", "SECONDARY")


def survey(name: str, members: list[str], deadline: float, *, wait: bool) -> dict[str, Document | None]:
    """Every member's answer to `hello` (None: no answer); waits, if asked to, for members that are starting.

    Once part of the set `name` answers, members that don't may be down and are not waited for. Raises nothing.
    """

    def ask() -> dict[str, Document | None]:
        return {host: hello(host) for host in members}

    def answered(greetings: dict[str, Document | None]) -> bool:
        return None not in greetings.values() or bool(plan.initialised(name, greetings))

    greetings = ask()
    while wait and not answered(greetings) and time.monotonic() < deadline:
        time.sleep(0.5)  # between two questions to the server
        greetings = ask()
    return greetings


def config(connection: MongoClient[Document]) -> Document:
    """The configuration that the primary has now."""
    return connection.admin.command("replSetGetConfig")["config"]


def states(connection: MongoClient[Document]) -> dict[str, str]:
    """Member -> its state as the primary sees it, such as SECONDARY, STARTUP2 or (not reachable/healthy)."""
    status = connection.admin.command("replSetGetStatus")
    return {member["name"]: member["stateStr"] for member in status["members"]}


def primary(connection: MongoClient[Document]) -> str | None:
    """The primary; None while there is none."""
    return next((host for host, state in states(connection).items() if state == "PRIMARY"), None)


def unhealthy(connection: MongoClient[Document], members: list[str]) -> dict[str, str]:
    """Those of the members that are neither primary nor secondary -> their state."""
    found = states(connection)
    listed = {host: found.get(host, "not a member") for host in members}
    return {host: state for host, state in listed.items() if state not in _HEALTHY}


def lacking(connection: MongoClient[Document], members: list[str], max_lag: float) -> dict[str, str]:
    """Member -> why it isn't up, or that it is `max_lag` seconds and more behind the primary's last write.

    Members of the set that aren't listed count too: a machine that is off may be missing in a cloud's inventory.
    """
    status = {member["name"]: member for member in connection.admin.command("replSetGetStatus")["members"]}
    everyone = list(dict.fromkeys([*members, *status]))
    found = unhealthy(connection, everyone)
    leader = next((member for member in status.values() if member["stateStr"] == "PRIMARY"), None)
    if leader is None:
        return {"primary": "none"} | found
    for host in everyone:
        if host in found or status[host]["optime"] == leader["optime"]:
            continue
        lag = (leader["optimeDate"] - status[host]["optimeDate"]).total_seconds()
        if lag >= max_lag:
            found[host] = f"{lag:.0f} s behind the primary"
    return found


def denying(members: list[str]) -> dict[str, str]:
    """Those of the members that don't call themselves primary or secondary at this moment -> what they say.

    The primary knows of another member what the last heartbeat said (one in two seconds by default): a member that has
    stopped or restarted since is healthy to it. Raises nothing.
    """
    greetings = {host: hello(host) for host in members}
    return {
        host: "no answer" if greeting is None else "neither primary nor secondary"
        for host, greeting in greetings.items()
        if greeting is None or not (greeting.get("isWritablePrimary") or greeting.get("secondary"))
    }


def settled(connection: MongoClient[Document], added: str | None) -> bool:
    """Whether a majority has the newest configuration and the member that it added, if any, has its data."""
    try:
        status = connection.admin.command("replSetGetConfig", commitmentStatus=True)
        arrived = added is None or states(connection).get(added) in _HEALTHY
    except PyMongoError as error:
        if code_of(error) not in PLAN_AGAIN:
            raise
        return False
    return bool(status["commitmentStatus"]) and arrived
