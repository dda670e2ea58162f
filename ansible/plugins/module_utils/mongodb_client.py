"""Shared by the MongoDB modules: connection options, timeouts and error codes."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    from pymongo import MongoClient
    from pymongo.errors import OperationFailure, PyMongoError

    PYMONGO_ERROR = None
except ImportError:
    # So that modules can import the names and fail with `require_pymongo`'s message.
    MongoClient = OperationFailure = PyMongoError = None
    PYMONGO_ERROR = traceback.format_exc()

Document = dict[str, Any]
T = TypeVar("T")

#: Server error codes (mongo/base/error_codes.yml) that the modules handle.
UNAUTHORIZED = 13
AUTHENTICATION_FAILED = 18
ALREADY_INITIALIZED = 23

#: No call waits longer for a server that accepts connections but never answers, as a frozen host does.
SOCKET_TIMEOUT_MS = 30_000
CONNECT_TIMEOUT_MS = 3_000


def login_arguments() -> Document:
    """The login options of a module that talks to one process; documented in doc_fragments/mongodb_process.py."""
    return {
        "login_host": {"type": "str", "default": "localhost"},
        "login_port": {"type": "int", "required": True},
        "login_user": {"type": "str"},
        "login_password": {"type": "str", "no_log": True},
        "login_other_password": {"type": "str", "no_log": True},
        **tls_arguments(),
    }


def tls_arguments() -> Document:
    """The options for TLS, which every module has; documented in doc_fragments/mongodb_tls.py."""
    return {"login_ca_file": {"type": "path"}, "login_certificate_file": {"type": "path"}}


def tls_options(module: AnsibleModule) -> Document:
    """MongoClient's options for TLS. Empty, for connections without it, unless a module's login_ca_file is set."""
    options = {"tlsCAFile": module.params["login_ca_file"]}
    if module.params["login_certificate_file"]:
        options["tlsCertificateKeyFile"] = module.params["login_certificate_file"]
    return {"tls": True, **options} if options["tlsCAFile"] else {}


def require_pymongo(module: AnsibleModule) -> None:
    """Fails with a readable message if the module's Python lacks PyMongo."""
    if PYMONGO_ERROR:
        module.fail_json(msg=missing_required_lib("pymongo"), exception=PYMONGO_ERROR)


def client(
    hosts: str | list[str],
    *,
    user: str | None = None,
    password: str | None = None,
    replica_set: str | None = None,
    tls: Document | None = None,
    selection_seconds: float = 5,
) -> MongoClient[Document]:
    """A client of one process, or of a replica set's primary if `replica_set` is given. Connects at first use.

    `tls` is what `tls_options` returns.
    """
    options: Document = {"replicaSet": replica_set} if replica_set else {"directConnection": True}
    if user:
        options |= {"username": user, "password": password, "authSource": "admin"}
    return MongoClient(
        hosts,
        serverSelectionTimeoutMS=int(selection_seconds * 1000),
        connectTimeoutMS=CONNECT_TIMEOUT_MS,
        socketTimeoutMS=SOCKET_TIMEOUT_MS,
        **options,
        **(tls or {}),
    )


def login(module: AnsibleModule) -> MongoClient[Document]:
    """A client of the process that the module's login options name."""
    options = module.params
    address, tls = f"{options['login_host']}:{options['login_port']}", tls_options(module)
    password = password_in_force(address, options, tls)
    return client(address, user=options["login_user"], password=password, tls=tls)


def password_in_force(
    hosts: str | list[str], options: Document, tls: Document, *, replica_set: str | None = None
) -> str | None:
    """A module's login_password, or its login_other_password if that is set and only that is accepted."""
    password, other = options["login_password"], options["login_other_password"]
    if not other:
        return password
    login = {"user": options["login_user"], "password": password}
    try:
        with client(hosts, **login, replica_set=replica_set, tls=tls) as connection:
            connection.admin.command("ping")
    except PyMongoError as error:
        if code_of(error) == AUTHENTICATION_FAILED:
            return other
    return password


def code_of(error: PyMongoError) -> int | None:
    """The server's error code. None if the server wasn't reached."""
    return error.code if isinstance(error, OperationFailure) else None


def hello(address: str, tls: Document, *, seconds: float = 3) -> Document | None:
    """The process's answer to `hello`, which needs no login. None if it doesn't answer."""
    try:
        with client(address, tls=tls, selection_seconds=seconds) as connection:
            return connection.admin.command("hello")
    except PyMongoError:
        return None


def wait_for(ask: Callable[[], T | None], deadline: float, *, pause: float = 0.2) -> T | None:
    """Calls `ask` until the answer is true or `deadline` (time.monotonic) has passed. Returns the last answer."""
    while True:
        answer = ask()
        if answer or time.monotonic() >= deadline:
            return answer
        time.sleep(pause)
