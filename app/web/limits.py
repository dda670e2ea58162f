"""Rate limits: on guessing passwords, and on requests faster than people make them.

Guessing is limited per address and per account: the signed-in account, or the name tried from that address. Guesses at
a name from all addresses together are limited, too, whether or not it exists; the more, the longer the wait. So that
nobody locks its owner out by guessing wrong, this limit doesn't hold where the account has logged in lately. The counts
are in the database, shared by all workers and hosts. While it is unavailable, each worker counts in memory.

Frequent requests that only need a bound are always counted in each worker's memory, which saves a round trip.
"""

from __future__ import annotations

import hashlib
import ipaddress
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from flask import Flask, Response, current_app, g, request
from flask_limiter import Limiter
from flask_login import current_user
from limits.storage import MongoDBStorage

from app.db.accounts import rate_limit
from app.db.core import DatabaseError, time_limit

# People mistype a few times, programs try thousands. An address gets more attempts: households share one.
PER_ADDRESS = "20 per minute; 100 per hour"
PER_NAME = "10 per 15 minutes"
# NIST SP 800-63B, 5.2.2: at most 100 failed attempts in a row on one account.
PER_NAME_EVERYWHERE = "20 per 15 minutes; 50 per hour; 100 per day"
COUNTER_TIMEOUT_MS = 2_000  # rather count in memory than make users wait through an election


class CounterStorage(MongoDBStorage):
    """The storage of `limits` for MongoDB with two differences; defining the class registers it for such URIs.

    The original creates its indexes when it connects, which the apps may not; `film-library init-db` creates them.

    At its end the original opens a connection just to close it, even while the interpreter shuts down. There PyMongo
    waits forever for a thread that can't start any more, and a stopping worker hangs.
    """

    STORAGE_SCHEME = ["mongodb", "mongodb+srv"]  # noqa: RUF012 - as in the base class

    @property
    def storage(self) -> Any:
        """The client, connected at first use."""
        if self._storage is None:
            self._storage = self._init_mongo_client(self._storage_uri, **self._storage_options)
        return self._storage

    def __del__(self) -> None:
        if self._storage is not None and not sys.is_finalizing():
            self._storage.close()


def init_app(app: Flask, guessable: Sequence[str], per_address: Sequence[str], paced: Mapping[str, str]) -> None:
    """Limit POSTs: of guessable endpoints, of others per address only, and of paced ones (per worker)."""
    _limit_guesses(app, guessable, per_address)
    _set_paces(app, paced)


def _limit_guesses(app: Flask, guessable: Sequence[str], per_address: Sequence[str]) -> None:
    limiter = Limiter(
        _client_network,
        app=app,
        storage_uri=rate_limit.storage_uri(),
        storage_options=rate_limit.storage_options(app.config["APP_NAME"])
        # The second is for closing the client, which else looks for a server for 30 s if there is none any more.
        | {"timeoutMS": COUNTER_TIMEOUT_MS, "serverSelectionTimeoutMS": COUNTER_TIMEOUT_MS},
        key_prefix=app.config["APP_NAME"],
        in_memory_fallback_enabled=True,
    )
    for endpoint in (*guessable, *per_address):
        view: Any = app.view_functions[endpoint]
        if endpoint in guessable:
            view = limiter.limit(
                PER_NAME_EVERYWHERE,
                key_func=_name_tried,
                methods=["POST"],
                exempt_when=_in_usual_place,
                deduct_when=_refused,
            )(view)
            view = limiter.limit(PER_NAME, key_func=_account_tried, methods=["POST"], deduct_when=_refused)(view)
        view = limiter.limit(PER_ADDRESS, methods=["POST"])(view)
        app.view_functions[endpoint] = view


def _set_paces(app: Flask, paces: Mapping[str, str]) -> None:
    """Per address and per account: an abuser with many of one rarely has many of the other."""
    limiter = Limiter(_client_network, app=app, storage_uri="memory://", key_prefix=app.config["APP_NAME"])
    for endpoint, pace in paces.items():
        view: Any = app.view_functions[endpoint]
        view = limiter.limit(pace, key_func=_own_account, methods=["POST"], exempt_when=_anonymous)(view)
        view = limiter.limit(pace, methods=["POST"])(view)
        app.view_functions[endpoint] = view


def _refused(response: Response) -> bool:
    """Whether a guess failed. Successes redirect, and don't count."""
    return not 300 <= response.status_code < 400


def _client_network() -> str:
    """The client's address; for IPv6 its /64, because one client has all of it."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _own_account() -> str:
    """The signed-in account, or ""."""
    return f"account {current_user.user_id}" if current_user.is_authenticated else ""


def _anonymous() -> bool:
    return not _own_account()


def _account_tried() -> str:
    """The signed-in account, or else the normalized name tried and the client's network.

    The name is hashed, because people may type their password there by mistake.
    """
    return _own_account() or f"{_name_tried()} {_client_network()}"


def _name_tried() -> str:
    name = unicodedata.normalize("NFKC", request.form.get("username", "")).strip().casefold()
    hashed = g.name_tried = _hashed(name)  # for the request log
    return hashed


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()


def _in_usual_place() -> bool:
    """Whether the account tried has logged in from here lately. The signed-in account is, too."""
    if _own_account():
        return True
    with suppress(DatabaseError), time_limit(COUNTER_TIMEOUT_MS / 1000):
        return rate_limit.is_usual_place(current_app.config["APP_NAME"], _account_tried())
    return False


def remember_place(username: str) -> None:
    """Note that somebody logs in to an account from here."""
    with suppress(DatabaseError), time_limit(COUNTER_TIMEOUT_MS / 1000):
        rate_limit.remember_place(current_app.config["APP_NAME"], f"{_hashed(username)} {_client_network()}")
