"""Storage for Flask-Limiter: the same database, so that all workers of an app count together.

And the places from which accounts have logged in: their owners' guesses aren't counted with everybody's.
"""

import hashlib
from datetime import timedelta
from typing import Any

from app.db.core import client_options, current_config, driver_errors, get_collection, now

# By app, so that the user app's database user can't reset the counts of guesses at administrators' passwords.
COUNTERS = {"user": "rate_limit_counters", "admin": "admin_rate_limit_counters"}
REMEMBER_PLACE = timedelta(days=90)


def storage_uri() -> str:
    """RATELIMIT_STORAGE_URI: the configured database's."""
    return current_config().uri


def storage_options(app: str) -> dict[str, Any]:
    """RATELIMIT_STORAGE_OPTIONS; without them `limits` would use its own database, and no timeouts.

    `app` is "user" or "admin".
    """
    config = current_config()
    return {
        "database_name": config.database,
        "counter_collection_name": COUNTERS[app],
        **client_options(config.application),
    }


@driver_errors()
def remember_place(app: str, account_and_network: str) -> None:
    """Note that somebody has logged in to an account from a network. Only a hash is stored."""
    expiry = {"$set": {"expireAt": now() + REMEMBER_PLACE}}
    get_collection(COUNTERS[app]).update_one({"_id": _place(account_and_network)}, expiry, upsert=True)


@driver_errors()
def is_usual_place(app: str, account_and_network: str) -> bool:
    """Whether `remember_place` has noted it lately."""
    query = {"_id": _place(account_and_network), "expireAt": {"$gt": now()}}
    return get_collection(COUNTERS[app]).find_one(query, {"_id": 1}) is not None


def _place(account_and_network: str) -> str:
    return f"place {hashlib.sha256(account_and_network.encode(errors='replace')).hexdigest()}"
