"""Storage for Flask-Limiter: the same database, so that all workers of an app count together."""

from typing import Any

from app.db.core import client_options, current_config

# By app, so that the user app's database user can't reset the counts of guesses at administrators' passwords.
COUNTERS = {"user": "rate_limit_counters", "admin": "admin_rate_limit_counters"}


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
