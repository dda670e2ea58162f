"""What a member allows over loopback without a log-in: MongoDB's localhost exception, open until there is a user.

Every function raises PyMongoError where the member refuses or doesn't answer; `member` is its name as host:port.
"""

from __future__ import annotations

from ansible.module_utils.mongodb_client import (
    UNAUTHORIZED,
    Document,
    MongoClient,
    PyMongoError,
    client,
    code_of,
    wait_for,
)


def _connect(member: str) -> MongoClient[Document]:
    return client(f"localhost:{member.rpartition(':')[2]}")


def initiate(member: str, config: Document) -> None:
    """Initiates a replica set with this configuration."""
    with _connect(member) as connection:
        connection.admin.command("replSetInitiate", config)


def create_root(member: str, user: str, password: str, deadline: float) -> None:
    """Creates a user of role root, which closes the exception; waits until `deadline` for the member to be primary."""
    with _connect(member) as connection:
        wait_for(lambda: connection.admin.command("hello")["isWritablePrimary"], deadline)
        connection.admin.command(
            "createUser",
            user,
            pwd=password,
            roles=["root"],
            writeConcern={"w": "majority", "wtimeout": 30_000},
        )


def is_open(member: str) -> bool:
    """Whether the member answers administrators' commands without a log-in."""
    with _connect(member) as connection:
        try:
            connection.admin.command("replSetGetStatus")
        except PyMongoError as error:
            if code_of(error) == UNAUTHORIZED:
                return False
            raise
    return True
