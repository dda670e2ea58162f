"""Limits on guessing, and on what a program does faster than people.

Guessing is limited per address and per account: for who is signed in the own one, or else the name tried from that
address. Such a name isn't limited for everybody at once: anyone could then keep its owner out by guessing wrong on
purpose. The counts are in the database, so that all workers and hosts share them. While the database is away each
worker counts in its own memory.

What is often done, and only shall have a bound, each worker counts in its memory anyway: it costs no round trip.
"""

from __future__ import annotations

import hashlib
import ipaddress
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask, Response, request
from flask_limiter import Limiter
from flask_login import current_user
from limits.storage import MongoDBStorage

from app.db.accounts import rate_limit

# A person mistypes a few times, a program tries thousands. Addresses get more room: a household shares one.
PER_ADDRESS = "20 per minute; 100 per hour"
PER_NAME = "10 per 15 minutes"
COUNTER_TIMEOUT_MS = 2_000  # rather count in memory than let a person wait through an election for a counter


class CounterStorage(MongoDBStorage):
    """The storage of `limits` for MongoDB URIs (being defined registers it for them), but for its end.

    The original opens a connection in order to close it, and closes it even when the interpreter is shutting down,
    where PyMongo waits for ever for a thread that can't start any more: a worker told to stop would hang.
    """

    STORAGE_SCHEME = ["mongodb", "mongodb+srv"]  # noqa: RUF012 - the original's type

    def __del__(self) -> None:
        if self._storage is not None and not sys.is_finalizing():
            self._storage.close()


def init_app(app: Flask, guessable: Sequence[str], per_address: Sequence[str], paced: Mapping[str, str]) -> None:
    """Limit the POSTs of endpoints where one can guess, of others per address only, and of those with a pace.

    A pace, "60 per minute", holds for each worker.
    """
    _limit_guesses(app, guessable, per_address)
    _set_paces(app, paced)


def _limit_guesses(app: Flask, guessable: Sequence[str], per_address: Sequence[str]) -> None:
    limiter = Limiter(
        _client_network,
        app=app,
        storage_uri=rate_limit.storage_uri(),
        storage_options=rate_limit.storage_options() | {"timeoutMS": COUNTER_TIMEOUT_MS},
        key_prefix=app.config["APP_NAME"],
        in_memory_fallback_enabled=True,
    )
    for endpoint in (*guessable, *per_address):
        view: Any = app.view_functions[endpoint]
        if endpoint in guessable:
            view = limiter.limit(PER_NAME, key_func=_account_tried, methods=["POST"], deduct_when=_refused)(view)
        view = limiter.limit(PER_ADDRESS, methods=["POST"])(view)
        app.view_functions[endpoint] = view


def _set_paces(app: Flask, paces: Mapping[str, str]) -> None:
    """Per address, and per account: whoever has many of the one hasn't many of the other."""
    limiter = Limiter(_client_network, app=app, storage_uri="memory://", key_prefix=app.config["APP_NAME"])
    for endpoint, pace in paces.items():
        view: Any = app.view_functions[endpoint]
        view = limiter.limit(pace, key_func=_own_account, methods=["POST"], exempt_when=_anonymous)(view)
        view = limiter.limit(pace, methods=["POST"])(view)
        app.view_functions[endpoint] = view


def _refused(response: Response) -> bool:
    """Whether a guess failed: a success redirects, and logging in often is no guessing."""
    return not 300 <= response.status_code < 400


def _client_network() -> str:
    """The client's address; of IPv6 the /64, because a single client has all of it."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _own_account() -> str:
    """The signed-in account; "" for none."""
    return f"account {current_user.user_id}" if current_user.is_authenticated else ""


def _anonymous() -> bool:
    return not _own_account()


def _account_tried() -> str:
    """The own account, wherever it is used from; or else the name tried, however it is written, and where from.

    The name is hashed: what people type there by mistake may be their password.
    """
    if own := _own_account():
        return own
    name = unicodedata.normalize("NFKC", request.form.get("username", "")).strip().casefold()
    return f"{hashlib.sha256(name.encode(errors='replace')).hexdigest()} {_client_network()}"
