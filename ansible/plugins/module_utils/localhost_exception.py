"""MongoDB's localhost exception: what a member allows over loopback without a login, until it has a user.

`member` is a member's name as host:port, `tls` what `mongodb_client.tls_options` returns. Every function raises
PyMongoError if the member refuses or doesn't answer.
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


def _connect(member: str, tls: Document) -> MongoClient[Document]:
    return client(f"localhost:{member.rpartition(':')[2]}", tls=tls)


def initiate(member: str, config: Document, tls: Document) -> None:
    """Initiates a replica set with the configuration."""
    with _connect(member, tls) as connection:
        connection.admin.command("replSetInitiate", config)


def create_root(member: str, user: str, password: str, deadline: float, tls: Document) -> None:
    """Creates a user with the role root, which closes the exception. Waits until `deadline` for a primary."""
    with _connect(member, tls) as connection:
        wait_for(lambda: connection.admin.command("hello")["isWritablePrimary"], deadline)
        connection.admin.command(
            "createUser",
            user,
            pwd=password,
            roles=["root"],
            writeConcern={"w": "majority", "wtimeout": 30_000},
        )


def is_open(member: str, tls: Document) -> bool:
    """Whether the member answers administrators' commands without a login."""
    with _connect(member, tls) as connection:
        try:
            connection.admin.command("replSetGetStatus")
        except PyMongoError as error:
            if code_of(error) == UNAUTHORIZED:
                return False
            raise
    return True
