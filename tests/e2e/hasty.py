"""The user app with a database timeout of two seconds instead of thirty, to keep tests short."""

from app.db.core import connection
from app.user import create_app

__all__ = ["create_app"]

connection.OPERATION_TIMEOUT_MS = 2_000
