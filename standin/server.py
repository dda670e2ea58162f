"""Starting, listening, and stopping."""

import asyncio
import contextlib
import logging
import signal
import socket

from standin import MONGODB_VERSION, VERSION, network
from standin.config import Settings
from standin.connection import AuthenticationFailedError, Connection, Identity
from standin.errors import CommandError
from standin.replica_set import ReplicaSet
from standin.router import Router
from standin.session import Session

# How often the log reports that the config servers aren't reachable yet.
WAIT_SECONDS = 5.0
# How long commands in progress may take to finish when the router stops.
GRACE_SECONDS = 3.0

log = logging.getLogger(__name__)


class StartError(Exception):
    """The router can't start; the message says why."""


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises StartError."""
    log.info(
        "mongos stand-in %s starting. It is NOT MongoDB's router; it routes to MongoDB %s servers.",
        VERSION,
        MONGODB_VERSION,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # Log rotation by `kill -USR1`: the log handler notices a moved file itself.
    loop.add_signal_handler(signal.SIGUSR1, lambda: None)

    config = ReplicaSet(settings.config_set, settings.config_hosts, Identity(settings.keys, settings.tls))
    config.start()
    router = Router(config, f"{socket.gethostname()}:{settings.port}")
    serving = asyncio.create_task(_serve(router, settings))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        log.info("stopping")
    finally:
        serving.cancel()
        stopping.cancel()
        with contextlib.suppress(asyncio.CancelledError, StartError):
            await serving
        router.catalog.close()
    log.info("stopped")


async def _serve(router: Router, settings: Settings) -> None:
    await _wait_for_config_servers(router.catalog.config)
    with contextlib.suppress(CommandError):
        await router.catalog.load_shards()
    sessions: dict[Session, asyncio.Task[None]] = {}

    async def serve_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(router, reader, writer)
        sessions[session] = asyncio.create_task(session.serve())
        sessions[session].add_done_callback(lambda _: sessions.pop(session, None))

    try:
        listener = await network.listen(serve_client, settings.addresses, settings.port, router.tls)
    except OSError as error:
        raise StartError(f"can't listen on {','.join(settings.addresses)}:{settings.port}: {error}") from error
    log.info(
        "waiting for connections on %s, port %d; config servers %s",
        ", ".join(settings.addresses),
        settings.port,
        router.catalog.config.connection_string,
    )
    background = [asyncio.create_task(work) for work in (router.keep_house(), router.privileges.keep_fresh())]
    try:
        await asyncio.Event().wait()
    finally:
        listener.close()
        for task in background:
            task.cancel()
        await _end(sessions)


async def _end(sessions: dict[Session, asyncio.Task[None]]) -> None:
    tasks = set(sessions.values())
    for session in list(sessions):
        session.stop()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        for task in late:
            task.cancel()


async def _wait_for_config_servers(config: ReplicaSet) -> None:
    """Wait as long as it takes, as mongos does. Raises StartError when they don't accept the key file."""
    while True:
        try:
            host = await config.select(seconds=WAIT_SECONDS)
            (await Connection.open(host, config.identity)).close()
        except CommandError as error:
            log.info("waiting for the config servers: %s", error)
        except AuthenticationFailedError as error:
            raise StartError(f"config server {host}: {error}") from error
        except (OSError, EOFError) as error:
            log.info("waiting for the config servers: %s: %s", host, error)
            await asyncio.sleep(1)
        else:
            return
