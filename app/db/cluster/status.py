"""The database's version, deployment and contents, for `film-library status`."""

from collections.abc import Iterable
from typing import Any

from app.db.core import COLLECTIONS, current_config, driver_errors, get_collection, run_command
from app.db.schema import missing_indexes, missing_validators


@driver_errors()
def count_documents(collections: Iterable[str] = COLLECTIONS) -> dict[str, int]:
    """The exact number of documents in each collection."""
    return {name: get_collection(name).count_documents({}) for name in collections}


@driver_errors()
def report() -> dict[str, Any]:
    """{database, version, deployment, documents: {collection: count}, missing_indexes: ["collection.index"],
    missing_validators: [collection]}.

    `deployment` is a router, a replica set's member, or a single mongod.
    """
    hello = run_command("hello")
    if hello.get("msg") == "isdbgrid":
        deployment = "through a router (mongos)"
    else:
        deployment = f"replica set {hello['setName']}" if "setName" in hello else "a single mongod"
    return {
        "database": current_config().database,
        "version": run_command("buildInfo")["version"],
        "deployment": deployment,
        "documents": count_documents(),
        "missing_indexes": [
            f"{name}.{index.document['name']}" for name, indexes in missing_indexes().items() for index in indexes
        ],
        "missing_validators": missing_validators(),
    }
