"""Renaming collections, as a restore does: all documents, indexes, validators and the shard key keep together."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

Document = dict[str, Any]
Client = MongoClient[Document]

COUNT = 300
NAMESPACE_NOT_FOUND, NAMESPACE_EXISTS, ILLEGAL = 26, 48, 20


def rename(router: Client, source: Collection[Document], name: str, **options: Any) -> Collection[Document]:
    target = source.database[name]
    router.admin.command("renameCollection", source.full_name, to=target.full_name, **options)
    return target


def fill(collection: Collection[Document]) -> None:
    collection.insert_many([{"_id": number, "key": number} for number in range(COUNT)], ordered=False)
    collection.create_index("number")
    rules = {"validator": {"key": {"$gte": 0}}, "validationLevel": "strict", "validationAction": "error"}
    collection.database.command("collMod", collection.name, **rules)


def test_a_sharded_collection_is_renamed(router: Client, second_router: Client, sharded: Collection[Document]) -> None:
    fill(sharded)
    # The second router remembers both names' routing from before.
    stale = second_router[sharded.database.name]
    assert stale[sharded.name].count_documents({}) == COUNT
    assert stale[f"aside.{sharded.name}"].count_documents({}) == 0
    before = router["config"]["collections"].find_one({"_id": sharded.full_name})
    options = sharded.options()

    renamed = rename(router, sharded, f"aside.{sharded.name}")
    try:
        for database in (sharded.database, stale):
            there = database[renamed.name]
            assert {document["_id"] for document in there.find()} == set(range(COUNT))
            assert there.find_one({"key": 7}) == {"_id": 7, "key": 7}
            assert database[sharded.name].count_documents({}) == 0
        assert renamed.options() == options
        assert {"number_1", "key_hashed"} <= set(renamed.index_information())
        after = router["config"]["collections"].find_one({"_id": renamed.full_name})
        assert before is not None
        assert after is not None
        assert after["key"] == before["key"]
        assert router["config"]["collections"].find_one({"_id": sharded.full_name}) is None
        stale[renamed.name].insert_one({"_id": "new", "key": 1})
        assert renamed.find_one({"_id": "new"}) is not None
    finally:
        rename(router, renamed, sharded.name)
    assert sharded.count_documents({}) == COUNT + 1


def test_an_unsharded_collection_is_renamed(router: Client) -> None:
    plain = router["standin_tests"]["plain"]
    fill(plain)
    renamed = rename(router, plain, "aside.plain")
    assert renamed.count_documents({}) == COUNT
    assert plain.name not in plain.database.list_collection_names()
    renamed.drop()


def test_nothing_is_replaced_unless_told(router: Client, sharded: Collection[Document]) -> None:
    fill(sharded)
    other = sharded.database["other"]
    other.insert_one({"_id": "other"})
    with pytest.raises(OperationFailure) as refused:
        rename(router, sharded, "other")
    assert refused.value.code == NAMESPACE_EXISTS
    assert (other.count_documents({}), sharded.count_documents({})) == (1, COUNT)
    rename(router, sharded, "other", dropTarget=True)
    assert (other.count_documents({}), sharded.count_documents({})) == (COUNT, 0)
    other.drop()


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        ("standin_tests.missing", "standin_tests.new", NAMESPACE_NOT_FOUND),
        ("no_such_database.missing", "no_such_database.new", NAMESPACE_NOT_FOUND),
        ("standin_tests.missing", "elsewhere.new", ILLEGAL),
        ("admin.system.users", "admin.stolen", ILLEGAL),
        ("standin_tests.missing", "standin_tests.system.views", ILLEGAL),
    ],
)
def test_what_cannot_be_renamed(router: Client, source: str, target: str, code: int) -> None:
    with pytest.raises(OperationFailure) as refused:
        router.admin.command("renameCollection", source, to=target)
    assert refused.value.code == code


def test_a_reader_of_one_collection_cannot_rename_another(router: Client) -> None:
    """Under the other's name it could be read."""
    on_database = {"resource": {"db": "renames", "collection": ""}, "actions": ["renameCollectionSameDB"]}
    on_one = {"resource": {"db": "renames", "collection": "open"}, "actions": ["find"]}
    router.admin.command("createRole", "renamer", privileges=[on_database, on_one], roles=[])
    router.admin.command("createUser", "renamer", pwd="renamer", roles=["renamer"])
    router["renames"]["secret"].insert_one({})
    try:
        with MongoClient(*router.address, username="renamer", password="renamer") as client:  # type: ignore[misc]
            with pytest.raises(OperationFailure) as refused:
                client.admin.command("renameCollection", "renames.secret", to="renames.open")
            assert refused.value.code == 13
    finally:
        router.admin.command("dropUser", "renamer")
        router.admin.command("dropRole", "renamer")
        router.drop_database("renames")
