"""Storage for Flask-Limiter: the same database, so that all workers of an app count together."""

from typing import Any

from app.db.core import client_options, current_config

COUNTERS = "rate_limit_counters"
WINDOWS = "rate_limit_windows"


def storage_uri() -> str:
    """RATELIMIT_STORAGE_URI: the configured database's."""
    return current_config().uri


def storage_options() -> dict[str, Any]:
    """RATELIMIT_STORAGE_OPTIONS; without them `limits` would use its own database, and no timeouts."""
    config = current_config()
    return {
        "database_name": config.database,
        "counter_collection_name": COUNTERS,
        "window_collection_name": WINDOWS,
        **client_options(config.application),
    }
