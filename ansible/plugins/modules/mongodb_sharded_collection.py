#!/usr/bin/python
"""Ansible module: shard a collection. See DOCUMENTATION."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_client import (
    Document,
    MongoClient,
    PyMongoError,
    login,
    login_arguments,
    require_pymongo,
)

DOCUMENTATION = r"""
module: mongodb_sharded_collection
short_description: Shard a collection of a MongoDB cluster
description:
  - Shards the collection through a router, creating database and collection as needed.
  - Compares the key and uniqueness of a sharded collection with O(key) and O(unique). A difference is an error that
    shows both sides, because changing a key (C(reshardCollection)) moves every document and is up to an operator.
options:
  database:
    description: Name of the database.
    type: str
    required: true
  collection:
    description: Name of the collection.
    type: str
    required: true
  key:
    description: The shard key. Maps each field, in order, to V(1) or V(hashed).
    type: dict
    required: true
  unique:
    description: Whether the key is unique across all shards.
    type: bool
    default: false
  login_user:
    description: A user that may shard collections, with the role C(clusterManager) or C(root).
extends_documentation_fragment: [action_common_attributes, mongodb_process, mongodb_tls]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
  platform: {platforms: posix}
author: [Film Library]
"""

EXAMPLES = r"""
- name: Spread the films over the shards
  mongodb_sharded_collection:
    database: movie_library
    collection: movies
    key: {title_hash: hashed}
    login_port: "{{ mongos_port }}"
    login_user: cluster-admin
    login_password: "{{ cluster_admin_password }}"
"""

RETURN = r"""
chunks:
  description: Maps each shard to its number of chunks. Empty if check mode would shard the collection.
  type: dict
  returned: success
  sample: {shard1: 1, shard2: 1}
"""


def key_of(entry: Document) -> Document:
    """The key, normalised: the server may return 1 as 1.0, and a playbook may say "1"."""
    return {field: "hashed" if kind == "hashed" else int(kind) for field, kind in entry.items()}


def sharding(connection: MongoClient[Document], namespace: str) -> Document | None:
    """The collection's entry in the cluster's catalogue. None if it isn't sharded."""
    # Since 8.0 the catalogue also lists unsharded collections, as `unsplittable`.
    return connection.config.collections.find_one(
        {"_id": namespace, "dropped": {"$ne": True}, "unsplittable": {"$ne": True}}
    )


def chunks_by_shard(connection: MongoClient[Document], entry: Document) -> dict[str, int]:
    """How many chunks each shard owns."""
    chunks = connection.config.chunks.find({"uuid": entry["uuid"]}, {"shard": 1})
    return dict(Counter(chunk["shard"] for chunk in chunks))


def describe(key: Document, unique: bool) -> dict[str, Any]:
    # A list, because the fields' order is part of a shard key.
    return {"key": [f"{field}: {kind}" for field, kind in key.items()], "unique": unique}


def run(module: AnsibleModule, connection: MongoClient[Document]) -> None:
    """Shards the collection unless it already is, and exits the module."""
    namespace = f"{module.params['database']}.{module.params['collection']}"
    wanted = describe(key_of(module.params["key"]), module.params["unique"])
    entry = sharding(connection, namespace)
    if entry:
        actual = describe(key_of(entry["key"]), bool(entry.get("unique")))
        if actual != wanted:
            module.fail_json(
                msg=f"{namespace} is already sharded on {actual}, but the playbook asks for {wanted}. "
                "Nothing was changed: correct the playbook, or change the key with reshardCollection."
            )
        module.exit_json(changed=False, chunks=chunks_by_shard(connection, entry))
    diff = {"before": "", "after": {"sharded": namespace, **wanted}}
    if module.check_mode:
        module.exit_json(changed=True, chunks={}, diff=diff)
    key = key_of(module.params["key"])
    connection.admin.command("shardCollection", namespace, key=key, unique=module.params["unique"])
    entry = sharding(connection, namespace)
    if entry is None:
        module.fail_json(msg=f"shardCollection succeeded, but the catalogue has no entry for {namespace}")
    module.exit_json(changed=True, chunks=chunks_by_shard(connection, entry), diff=diff)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str", "required": True},
            "collection": {"type": "str", "required": True},
            "key": {"type": "dict", "required": True, "no_log": False},
            "unique": {"type": "bool", "default": False},
            **login_arguments(),
        },
        supports_check_mode=True,
    )
    require_pymongo(module)
    for field, kind in module.params["key"].items():
        if str(kind) not in ("1", "hashed"):
            module.fail_json(msg=f"shard key field {field} is {kind!r}, expected 1 or hashed")
    try:
        with login(module) as connection:
            run(module, connection)
    except PyMongoError as error:
        module.fail_json(msg=f"{module.params['database']}.{module.params['collection']}: {error}")


if __name__ == "__main__":
    main()
