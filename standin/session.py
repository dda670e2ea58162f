"""One client's connection: reads commands, checks privileges, runs the commands one by one, and replies."""

import asyncio
import ipaddress
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from standin import status, wire
from standin.authentication import LogIn
from standin.commands import COMMANDS, Command, check_options
from standin.errors import USER_NOT_FOUND, CommandError, ProtocolError, Reply, unauthorized, without_metadata
from standin.operation import Operation
from standin.privileges import Need
from standin.requirements import Access
from standin.router import Router
from standin.transactions import label_failure

log = logging.getLogger(__name__)

# What is allowed without login while there are no users (the localhost exception).
LOCALHOST_EXCEPTION = frozenset({"createUser", "createRole"})
HELLO = frozenset({"hello", "ismaster"})
_connection_ids = itertools.count(1)


class Session:
    def __init__(self, router: Router, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._router = router
        self._reader, self._writer = reader, writer
        self._log_in = LogIn(router.catalog)
        self._id = next(_connection_ids)
        self._task: asyncio.Task[None] | None = None
        self._busy = False
        self._stopping = False
        self._peer = writer.get_extra_info("peername")
        self._connection_commands: dict[str, Callable[[Operation], Awaitable[Reply]]] = {
            **dict.fromkeys(HELLO, self._hello),
            "saslStart": self._sasl,
            "saslContinue": self._sasl,
            "connectionStatus": self._connection_status,
        }

    def stop(self) -> None:
        """Serve no more commands: stop at once, or after the reply to the one in progress."""
        self._stopping = True
        if not self._busy and self._task is not None:
            self._task.cancel()

    async def serve(self) -> None:
        """Serve until the client disconnects, or `stop`."""
        self._task = asyncio.current_task()
        self._router.connections += 1
        self._router.connections_created += 1
        try:
            while not self._stopping:
                message = wire.parse_request(*await wire.read_frame(self._reader))
                await self._answer(message)
        except ProtocolError as error:
            log.warning("connection from %s closed: %s", self._peer, error)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the client has disconnected, or the router is stopping
        finally:
            self._router.connections -= 1
            self._log_in.close()
            self._writer.close()

    async def _answer(self, message: wire.Message) -> None:
        name = next(iter(message.command))
        self._router.counters[name] += 1
        watching = name in HELLO and "topologyVersion" in message.command
        stream = watching and bool(message.flags & wire.EXHAUST_ALLOWED)
        while True:
            if watching:
                await self._await_change(message.command)
            self._busy = True
            reply = await self._reply(message.command)
            if not message.flags & wire.MORE_TO_COME:  # set by clients for writes with w: 0
                self._writer.write(wire.encode_reply(message, reply, wire.MORE_TO_COME if stream else 0))
                await self._writer.drain()
            self._busy = False
            if not stream or self._stopping:
                return

    async def _await_change(self, command: dict[str, Any]) -> None:
        """A driver that knows the router's state waits for a change of it, which never comes."""
        if command["topologyVersion"]["processId"] == self._router.process_id:
            await asyncio.sleep(min(60.0, command.get("maxAwaitTimeMS", 10_000) / 1000))

    async def _reply(self, command: dict[str, Any]) -> Reply:
        operation = Operation(self._router, self._log_in.user, command)
        try:
            reply = without_metadata(await self._dispatch(operation, command))
        except CommandError as error:
            reply = without_metadata(error.reply)
        except (OSError, EOFError) as error:
            reply = CommandError(6, "HostUnreachable", f"lost the connection to a server: {error!r}").reply
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # A malformed command or a bug: log it and keep the connection.
            log.exception("command %s failed", operation.name)
            reply = CommandError(8, "UnknownError", f"the mongos stand-in failed: {error!r}").reply
        if operation.transaction is not None and (reply.get("ok") != 1 or reply.get("writeErrors")):
            label_failure(reply)
            await operation.transaction.abort()
        operation.label_failure(reply)
        if operation.cluster_time is not None:
            reply["$clusterTime"] = operation.cluster_time
        if operation.operation_time is not None:
            reply["operationTime"] = operation.operation_time
        return reply

    async def _dispatch(self, operation: Operation, message: dict[str, Any]) -> Reply:
        command = COMMANDS.get(operation.name)
        if command is None:
            raise CommandError(59, "CommandNotFound", f"no such command: '{operation.name}'")
        check_options(operation.name, command, operation.arguments)
        await self._authorize(operation, command)
        if "autocommit" in message and operation.name not in ("commitTransaction", "abortTransaction"):
            if not command.in_transaction or message["autocommit"] is not False:
                raise CommandError(
                    263,
                    "OperationNotSupportedInTransaction",
                    f"Cannot run '{operation.name}' in a multi-document transaction.",
                )
            operation.transaction = self._router.transactions.statement(operation)
        handler = self._connection_commands.get(operation.name, command.handler)
        return await handler(operation)

    async def _authorize(self, operation: Operation, command: Command) -> None:
        """Raises CommandError 13 (Unauthorized)."""
        if command.requirement is Access.BEFORE_LOGIN:
            return
        if operation.user is None:
            if await self._localhost_exception(operation):
                return
            raise unauthorized(f"command {operation.name} requires authentication")
        try:
            privileges = await operation.privileges()
        except CommandError as error:
            if error.code == USER_NOT_FOUND:
                self._log_in.user = None
                raise unauthorized(str(error)) from error
            raise
        if isinstance(command.requirement, Access):
            return
        for need in command.requirement(operation):
            if not privileges.allow(need):
                raise unauthorized(
                    f"not authorized on {operation.database} to execute command {operation.name}: {_describe(need)}"
                )

    async def _localhost_exception(self, operation: Operation) -> bool:
        """The first user, on `admin`, may be created from the router's own host while there are no users."""
        if operation.name not in LOCALHOST_EXCEPTION or operation.database != "admin":
            return False
        if not ipaddress.ip_address(self._peer[0]).is_loopback:
            return False
        return not await self._router.privileges.any_user_exists()

    async def _hello(self, operation: Operation) -> Reply:
        reply = status.hello_reply(self._router)
        reply["connectionId"] = self._id
        if operation.name != "hello":
            reply["ismaster"] = reply.pop("isWritablePrimary")
        if operation.arguments.get("helloOk"):
            reply["helloOk"] = True
        return {**reply, **await self._log_in.in_hello(operation.arguments)}

    async def _sasl(self, operation: Operation) -> Reply:
        return await self._log_in.sasl(operation.database, operation.arguments)

    async def _connection_status(self, operation: Operation) -> Reply:
        users, roles, privileges = [], [], []
        if operation.user is not None:
            known = await self._router.privileges.of(operation.user)
            users = [{"user": operation.user.name, "db": operation.user.database}]
            roles, privileges = known.roles, known.documents or []
        info: dict[str, Any] = {"authenticatedUsers": users, "authenticatedUserRoles": roles}
        if operation.arguments.get("showPrivileges"):
            info["authenticatedUserPrivileges"] = privileges
        return {"authInfo": info, "ok": 1.0}


def _describe(need: Need) -> str:
    where = "the cluster" if need.cluster else f"{need.database}.{need.collection or '*'}"
    return f"it needs {need.action} on {where}"
