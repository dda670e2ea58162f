"""The user app that gives up on its database after two seconds instead of thirty: tests wait for that."""

from app.db.core import connection
from app.user import create_app

__all__ = ["create_app"]

connection.OPERATION_TIMEOUT_MS = 2_000
