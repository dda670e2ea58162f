"""Users and roles live on the config servers."""

from standin.errors import Reply
from standin.operation import Operation
from standin.reads import on_config_servers


async def change(operation: Operation) -> Reply:
    try:
        return await on_config_servers(operation, write=True)
    finally:
        # Takes effect here at once; on other routers within REFRESH_SECONDS.
        operation.router.privileges.clear()


async def look_up(operation: Operation) -> Reply:
    return await on_config_servers(operation)
