"""What the database needs before the apps start: indexes, and the models' rules as validators in mongod."""

from app.db.schema.indexes import create_indexes, deferred_indexes, drop_replaced_indexes, missing_indexes
from app.db.schema.json_schema import install_validators, missing_validators

__all__ = [
    "create_indexes",
    "deferred_indexes",
    "drop_replaced_indexes",
    "install_validators",
    "missing_indexes",
    "missing_validators",
]
