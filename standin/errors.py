"""Errors as MongoDB's clients see them, and the error codes that the router reacts to.

Codes and names come from MongoDB's `src/mongo/base/error_codes.yml` (6.0).
"""

from collections.abc import Mapping
from typing import Any

Reply = dict[str, Any]

USER_NOT_FOUND = 11
UNAUTHORIZED = 13
WRITE_CONFLICT = 112
WOULD_CHANGE_OWNING_SHARD = 283

# The shard's chunk table or database version is newer than ours: refresh and ask again.
# StaleShardVersion, StaleEpoch, StaleDbVersion, StaleConfig, and the pre-3.x code for it.
STALE_CODES = frozenset({63, 150, 249, 13388, 13297})

# The member isn't primary, or is shutting down: nothing was done, ask the new primary.
NOT_PRIMARY_CODES = frozenset({91, 189, 10058, 10107, 11600, 11602, 13435, 13436})

# From a shard that asked another server, for an aggregate over shards or for its routing table. For up to 20 s it
# takes a host without power for alive.
NETWORK_INTERFACE_EXCEEDED_TIME_LIMIT = 202

# Reads and retryable writes (those with a transaction number) can safely be repeated.
RETRYABLE_CODES = NOT_PRIMARY_CODES | {6, 7, 89, 134, NETWORK_INTERFACE_EXCEEDED_TIME_LIMIT, 262, 9001}

# A driver may run its whole transaction again: the above, LockTimeout, WriteConflict,
# SnapshotUnavailable, NoSuchTransaction.
TRANSIENT_TRANSACTION_CODES = STALE_CODES | RETRYABLE_CODES | {24, 112, 246, 251}

# Reply fields that are meant for the router, not for the client.
REPLY_METADATA = frozenset(
    {
        "$clusterTime",
        "$configServerState",
        "$configTime",
        "$gleStats",
        "$topologyTime",
        "additionalParticipants",
        "electionId",
        "lastCommittedOpTime",
        "opTime",
        "operationTime",
    }
)


class CommandError(Exception):
    """A failed command. `reply` is the document that the client gets (`ok`, `code`, `codeName`, `errmsg`)."""

    def __init__(self, code: int, name: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.reply: Reply = {"ok": 0.0, "errmsg": message, "code": code, "codeName": name, **extra}

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any]) -> "CommandError":
        """The error that a server reported, without REPLY_METADATA."""
        error = cls(int(reply.get("code", 8)), "", str(reply.get("errmsg", "")))
        error.reply = without_metadata(reply)
        return error

    @property
    def code(self) -> int:
        return int(self.reply.get("code", 0))


class StaleRoutingError(CommandError):
    """A shard refused because the router's chunk table (or database primary) is out of date."""


class ProtocolError(ConnectionError):
    """The peer doesn't follow the wire protocol; the connection can't be used any more."""


def without_metadata(reply: Mapping[str, Any]) -> Reply:
    return {key: value for key, value in reply.items() if key not in REPLY_METADATA}


def check(reply: Reply) -> Reply:
    """Return a successful reply; raise StaleRoutingError or CommandError for any other."""
    if reply.get("ok") == 1:
        return reply
    if reply.get("code") in STALE_CODES:
        raise StaleRoutingError.from_reply(reply)
    raise CommandError.from_reply(reply)


def unauthorized(message: str) -> CommandError:
    return CommandError(UNAUTHORIZED, "Unauthorized", message)


def not_supported(what: str) -> CommandError:
    """For what MongoDB's router can do and this stand-in can't."""
    return CommandError(115, "CommandNotSupported", f"the mongos stand-in does not support {what}")
