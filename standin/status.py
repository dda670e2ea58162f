"""The router's answers about itself."""

import datetime
import logging
import os
import resource
import sys
import time

from bson import Int64

from standin import MONGODB_VERSION, WIRE_VERSION
from standin.errors import CommandError, Reply, check, without_metadata
from standin.operation import Operation
from standin.reads import on_config_servers
from standin.router import Router
from standin.tls import TlsError
from standin.wire import MAX_MESSAGE_BYTES

log = logging.getLogger(__name__)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def hello_reply(router: Router) -> Reply:
    """What drivers expect of a mongos of this version; `msg: isdbgrid` identifies one."""
    return {
        "isWritablePrimary": True,
        "msg": "isdbgrid",
        "topologyVersion": {"processId": router.process_id, "counter": Int64(0)},
        "maxBsonObjectSize": 16 * 2**20,
        "maxMessageSizeBytes": MAX_MESSAGE_BYTES,
        "maxWriteBatchSize": 100_000,
        "localTime": now(),
        "logicalSessionTimeoutMinutes": 30,
        "maxWireVersion": WIRE_VERSION,
        "minWireVersion": 0,
        "ok": 1.0,
    }


async def ping(_operation: Operation) -> Reply:
    return {"ok": 1.0}


async def build_info(operation: Operation) -> Reply:
    """The servers' own: clients derive from its version what they may use."""
    reply, _ = await operation.catalog.config.run("admin", {"buildInfo": 1}, mode="primaryPreferred")
    return without_metadata(check(reply))


async def replica_set_status(_operation: Operation) -> Reply:
    """mongosh and Ansible's modules recognise a router by this error."""
    raise CommandError(76, "NoReplicationEnabled", "replSetGetStatus is not supported through mongos", info="mongos")


async def end_sessions(operation: Operation) -> Reply:
    await operation.router.transactions.end_sessions(operation, list(operation.target))
    return {"ok": 1.0}


async def server_status(operation: Operation) -> Reply:
    router = operation.router
    uptime = time.time() - router.started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    counters = ("insert", "find", "update", "delete", "getMore", "aggregate")
    return {
        "host": router.name,
        "version": MONGODB_VERSION,
        "process": "mongos",
        "standin": True,
        "pid": Int64(os.getpid()),
        "uptime": uptime,
        "uptimeMillis": Int64(uptime * 1000),
        "localTime": now(),
        "connections": {
            "current": router.connections,
            "available": 1000,
            "totalCreated": Int64(router.connections_created),
        },
        "opcounters": {name: Int64(router.counters[name]) for name in counters},
        "metrics": {"cursor": {"open": {"total": Int64(len(router.cursors))}}},
        "mem": {"bits": 64, "resident": memory, "supported": True},
        "security": router.tls.status(),
        "sharding": {"configsvrConnectionString": operation.catalog.config.connection_string},
        "ok": 1.0,
    }


async def command_line_options(operation: Operation) -> Reply:
    config_db = operation.catalog.config.connection_string
    return {
        "argv": sys.argv,
        "parsed": {"sharding": {"configDB": config_db}, "security": {"keyFile": "<set>"}},
        "ok": 1.0,
    }


async def get_log(operation: Operation) -> Reply:
    """Empty: the log is only in its file. mongosh asks for start-up warnings whenever it connects."""
    if operation.target == "*":
        return {"names": ["global", "startupWarnings"], "ok": 1.0}
    return {"totalLinesWritten": 0, "log": [], "ok": 1.0}


async def get_parameter(operation: Operation) -> Reply:
    """The mode of TLS is the router's own; the rest is the same on every server of the cluster."""
    if "tlsMode" in operation.arguments:
        return {"tlsMode": operation.router.tls.mode.value, "ok": 1.0}
    return await on_config_servers(operation)


async def set_parameter(operation: Operation) -> Reply:
    try:
        before = operation.router.tls.change_mode(str(operation.arguments["tlsMode"]))
    except TlsError as error:
        raise CommandError(2, "BadValue", str(error)) from error
    log.info("mode of TLS changed from %s to %s", before, operation.router.tls.mode.value)
    return {"was": before, "ok": 1.0}


async def rotate_certificates(operation: Operation) -> Reply:
    try:
        operation.router.tls.rotate()
    except TlsError as error:
        log.warning("certificates not rotated: %s", error)
        raise CommandError(140, "InvalidSSLConfiguration", f"Can not set up PEM key file. {error}") from error
    log.info("certificates rotated; they serve new connections")
    return {"ok": 1.0}
