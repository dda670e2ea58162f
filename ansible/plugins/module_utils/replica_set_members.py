"""The state of a replica set, as its primary and its members report it.

`connection` is a logged-in client of the primary. Members are named host:port. `tls` is what
`mongodb_client.tls_options` returns. Functions raise PyMongoError unless stated otherwise.
"""

from __future__ import annotations

import time

from ansible.module_utils import replica_set_config as plan
from ansible.module_utils.mongodb_client import (
    AUTHENTICATION_FAILED,
    Document,
    MongoClient,
    PyMongoError,
    code_of,
    hello,
)

#: Errors after which a reconfiguration is planned again: another one came first (the server makes one itself when a new
#: member has its data), the last one isn't committed yet, or there was an election.
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


def survey(name: str, members: list[str], deadline: float, tls: Document, *, wait: bool) -> dict[str, Document | None]:
    """Each member's answer to `hello` (None: no answer). With `wait`, waits for members that are starting.

    Doesn't wait for others once a member of the set `name` answers: they may be down. Raises nothing.
    """

    def ask() -> dict[str, Document | None]:
        return {host: hello(host, tls) for host in members}

    def answered(greetings: dict[str, Document | None]) -> bool:
        return None not in greetings.values() or bool(plan.initialised(name, greetings))

    greetings = ask()
    while wait and not answered(greetings) and time.monotonic() < deadline:
        time.sleep(0.5)  # between two questions to the server
        greetings = ask()
    return greetings


def config(connection: MongoClient[Document]) -> Document:
    """The primary's current configuration."""
    return connection.admin.command("replSetGetConfig")["config"]


def states(connection: MongoClient[Document]) -> dict[str, str]:
    """Member -> state as the primary sees it, such as SECONDARY, STARTUP2 or (not reachable/healthy)."""
    status = connection.admin.command("replSetGetStatus")
    return {member["name"]: member["stateStr"] for member in status["members"]}


def primary(connection: MongoClient[Document]) -> str | None:
    """The primary. None if there is none."""
    return next((host for host, state in states(connection).items() if state == "PRIMARY"), None)


def unhealthy(connection: MongoClient[Document], members: list[str]) -> dict[str, str]:
    """The members that are neither primary nor secondary -> state."""
    found = states(connection)
    listed = {host: found.get(host, "not a member") for host in members}
    return {host: state for host, state in listed.items() if state not in _HEALTHY}


def lacking(connection: MongoClient[Document], members: list[str], max_lag: float) -> dict[str, str]:
    """Member -> why it isn't healthy, or its lag if that is `max_lag` seconds or more.

    Members that aren't listed count too: a cloud's inventory may lack a machine that is off.
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


def denying(members: list[str], tls: Document) -> dict[str, str]:
    """The members that don't report being primary or secondary right now -> what they report.

    The primary relies on the last heartbeat (one every two seconds by default), so it doesn't know of a member that has
    stopped or restarted since. Raises nothing.
    """
    greetings = {host: hello(host, tls) for host in members}
    return {
        host: "no answer" if greeting is None else "neither primary nor secondary"
        for host, greeting in greetings.items()
        if greeting is None or not (greeting.get("isWritablePrimary") or greeting.get("secondary"))
    }


def degraded(connection: MongoClient[Document], members: list[str], tls: Document, max_lag: float) -> dict[str, str]:
    """Member -> why it isn't healthy, by its own word or the primary's. Raises PyMongoError only for a refused login.

    The members first: one that has restarted may report itself secondary before it has every write.
    """
    try:
        return denying(members, tls) or lacking(connection, members, max_lag)
    except PyMongoError as error:  # an election, for example
        if code_of(error) == AUTHENTICATION_FAILED:
            raise
        return {"primary": f"no answer ({error})"}


def settled(connection: MongoClient[Document], added: str | None) -> bool:
    """Whether a majority has the newest configuration, and the added member, if any, has its data."""
    try:
        status = connection.admin.command("replSetGetConfig", commitmentStatus=True)
        arrived = added is None or states(connection).get(added) in _HEALTHY
    except PyMongoError as error:
        if code_of(error) not in PLAN_AGAIN:
            raise
        return False
    return bool(status["commitmentStatus"]) and arrived
