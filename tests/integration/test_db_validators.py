"""The models' rules as validators in mongod: they refuse what the models refuse and accept what the apps write."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import mongoengine
import pytest
from bson import Int64, ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mongoengine import (
    DateTimeField,
    EmbeddedDocumentListField,
    FloatField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)
from pymongo.database import Database
from pymongo.errors import WriteError

from app.db.cluster import status
from app.db.core import COLLECTIONS, ValidationFailed, connection, custom_hash, embedded_fields, fields_of, prepare
from app.db.schema import install_validators, missing_validators

Raw = Database[dict[str, Any]]
Row = dict[str, Any]

# DocumentValidationFailure; and what can never be an _id: DollarPrefixedFieldName, InvalidIdField.
REFUSALS = {121, 52, 53}
PASSKEY: Row = {"key_id": "id", "public_key": "key", "sign_count": 1, "host": "localhost", "name": "Phone"}
PASSKEY |= {"created_at": datetime(2026, 11, 30, tzinfo=UTC)}
WHOLE: dict[str, Row] = {
    "movies": prepare("movies", {"_id": "tm1", "title": "The Matrix", "type": "MOVIE"}),
    "credits": prepare("credits", {"movie_id": "tm1", "name": "Keanu Reeves", "role": "ACTOR"}),
    "users": prepare("users", {"_id": "u1", "username": "ada", "password_hash": "none"}),
    "administrators": prepare(
        "administrators", {"_id": "a1", "username": "ada", "password_hash": "none", "admin_status": 1}
    )
    | {"passkeys": [PASSKEY]},
    "user_interactions": prepare("user_interactions", {"user_id": "u1", "movie_id": "tm1"}),
}


def wrong_values(field: Any) -> Iterator[Any]:
    """A value for each rule that a field declares: its type, and the ends of its domain passed by one."""
    yield {"$gt": ""}
    if isinstance(field, ListField):
        yield "drama"
        if field.max_length is not None:
            yield ["x"] * (field.max_length + 1)
        for value in wrong_values(field.field):
            yield [value]
        return
    yield [None]
    if isinstance(field, StringField):
        yield 7
        if field.min_length is not None:
            yield "x" * (field.min_length - 1)
        if field.max_length is not None:
            yield "\u00e9" * (field.max_length + 1)
        if field.regex is not None:
            yield "a b"
    if isinstance(field, IntField | FloatField):
        yield "seven"
        if field.min_value is not None:
            yield field.min_value - 1
        if field.max_value is not None:
            yield field.max_value + 1
    if isinstance(field, DateTimeField | ObjectIdField):
        yield "yesterday"
    if field.choices:
        yield type(field.choices[0])("7")


def wrong_passkeys() -> Iterator[list[Row]]:
    """As `wrong_values`, for the documents inside an administrator's."""
    field = fields_of(COLLECTIONS["administrators"])["passkeys"]
    yield from ([PASSKEY] * (field.max_length + 1), [{}], [{**PASSKEY, "unknown": "x"}])
    for name, inner in embedded_fields(field).items():
        yield from ([{**PASSKEY, name: value}] for value in wrong_values(inner))


RULES = [
    pytest.param(collection, name, value, id=f"{collection}.{name}-{value!s:.20}")
    for collection, model in COLLECTIONS.items()
    for name, field in fields_of(model).items()
    for value in (wrong_passkeys() if isinstance(field, EmbeddedDocumentListField) else wrong_values(field))
]


def refused_by_model(collection: str, row: Row) -> bool:
    """Whether MongoEngine's own validation refuses it."""
    fields = {("id" if name == "_id" else name): value for name, value in row.items()}
    try:
        COLLECTIONS[collection](**fields).validate()
    except (mongoengine.ValidationError, mongoengine.FieldDoesNotExist, TypeError, ValueError):
        return True
    return False


def refused_by_mongod(database: Raw, collection: str, row: Row) -> bool:
    try:
        database[collection].insert_one({**row})
    except WriteError as error:
        return error.code in REFUSALS
    return False


@pytest.mark.parametrize("collection", sorted(COLLECTIONS))
def test_a_complete_document_is_accepted(database: Raw, collection: str) -> None:
    assert not refused_by_model(collection, WHOLE[collection])
    assert not refused_by_mongod(database, collection, WHOLE[collection])


@pytest.mark.parametrize(("collection", "name", "value"), RULES)
def test_each_rule_is_kept_by_both(database: Raw, collection: str, name: str, value: Any) -> None:
    row = {**WHOLE[collection], name: value}
    assert refused_by_model(collection, row)
    assert refused_by_mongod(database, collection, row)


@pytest.mark.parametrize("collection", sorted(COLLECTIONS))
def test_what_is_required_or_not_declared_is_so_for_both(database: Raw, collection: str) -> None:
    required = [name for name, field in fields_of(COLLECTIONS[collection]).items() if field.required and name != "_id"]
    for name in required:
        row = {field: value for field, value in WHOLE[collection].items() if field != name}
        assert refused_by_mongod(database, collection, row), name
        if fields_of(COLLECTIONS[collection])[name].default is None:  # MongoEngine fills in the others
            assert refused_by_model(collection, row), name
    row = {**WHOLE[collection], "shoe_size": 43}
    assert refused_by_model(collection, row)
    assert refused_by_mongod(database, collection, row)


_values = (
    st.text(max_size=8)
    | st.integers()
    | st.floats()
    | st.lists(st.text(max_size=3) | st.integers(), max_size=3)
    | st.datetimes()
    | st.sampled_from(["MOVIE", "SHOW", "DIRECTOR", "tm2", str(ObjectId()), "7.5", "['a', 'b']", 1, 2, 1999])
)


@pytest.mark.parametrize("collection", sorted(COLLECTIONS))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_apps_accept_is_accepted(database: Raw, collection: str, data: st.DataObject) -> None:
    names = st.sampled_from(list(fields_of(COLLECTIONS[collection])))
    try:
        row = prepare(collection, {**WHOLE[collection], **data.draw(st.dictionaries(names, _values, max_size=4))})
    except ValidationFailed:
        return
    database[collection].delete_many({})
    assert not refused_by_mongod(database, collection, row)


def test_a_change_that_breaks_a_rule_is_refused_and_says_which(database: Raw) -> None:
    database.movies.insert_one({**WHOLE["movies"]})
    for update, field in [
        ({"$set": {"runtime": -1}}, "runtime"),
        ({"$unset": {"title": ""}}, "title"),
        ({"$set": {"shoe_size": 43}}, "shoe_size"),
    ]:
        with pytest.raises(ValidationFailed) as raised, connection.driver_errors():
            database.movies.update_one({"_id": "tm1"}, update)
        assert raised.value.errors == {field: connection.REFUSED}
    assert database.movies.find_one() == WHOLE["movies"]


def test_numbers_of_either_width_are_numbers(database: Raw) -> None:
    row = {**WHOLE["movies"], "title_hash": Int64(custom_hash("The Matrix")), "imdb_score": 7, "runtime": Int64(90)}
    assert not refused_by_mongod(database, "movies", row)


@pytest.mark.usefixtures("database")
def test_installing_changes_only_what_is_out_of_step(database: Raw) -> None:
    assert install_validators() == []
    database.command("collMod", "credits", validator={})
    try:
        assert missing_validators() == ["credits"]
        assert status.report()["missing_validators"] == ["credits"]
        assert database.credits.insert_one({"anything": 1}).acknowledged
    finally:
        assert install_validators() == ["credits"]
    assert refused_by_mongod(database, "credits", {"anything": 1})
    assert install_validators() == []
