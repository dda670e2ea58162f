"""The models' rules as JSON Schema validators, so that mongod refuses malformed documents from any client.

A rule that is declared in `app.db.core.models` is in force here without further ado; tests prove each against mongod.
"""

from collections.abc import Mapping
from typing import Any

from mongoengine import (
    DateTimeField,
    EmbeddedDocumentListField,
    FloatField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)

from app.db.core import (
    COLLECTIONS,
    Row,
    create_collections,
    driver_errors,
    embedded_fields,
    fields_of,
    get_collection,
    get_model,
    run_command,
)

_BSON_TYPES: dict[type, list[str]] = {
    StringField: ["string"],
    IntField: ["int", "long"],
    FloatField: ["double", "int", "long"],
    ListField: ["array"],
    EmbeddedDocumentListField: ["array"],
    DateTimeField: ["date"],
    ObjectIdField: ["objectId"],
}
# Attribute of a MongoEngine field -> keyword of JSON Schema. Of a list, the lengths are numbers of items.
_KEYWORDS = {"min_value": "minimum", "max_value": "maximum", "min_length": "minLength", "max_length": "maxLength"}
_LIST_KEYWORDS = {"max_length": "maxItems"}
# Earlier releases kept administrators among the users. Their other users have this field, too; nothing reads it now.
_UNUSED: dict[str, Row] = {"users": {"admin_status": {"enum": [0]}}}


def validator(collection: str) -> Row:
    """The collection's validator, {"$jsonSchema": ...}: types, domains, and no field that isn't declared."""
    return {"$jsonSchema": _object(fields_of(get_model(collection)), _UNUSED.get(collection, {}))}


def _object(fields: Mapping[str, Any], unused: Row) -> Row:
    return {
        "bsonType": "object",
        "required": [name for name, field in fields.items() if field.required],
        "properties": {name: _schema(field) for name, field in fields.items()} | unused,
        "additionalProperties": False,
    }


def _schema(field: Any) -> Row:
    types = _BSON_TYPES[type(field)]
    schema: Row = {"bsonType": types[0] if len(types) == 1 else types}
    for attribute, keyword in (_LIST_KEYWORDS if isinstance(field, ListField) else _KEYWORDS).items():
        if getattr(field, attribute, None) is not None:
            schema[keyword] = getattr(field, attribute)
    if field.choices:
        schema["enum"] = list(field.choices)
    if getattr(field, "regex", None) is not None:
        schema["pattern"] = field.regex.pattern
    if isinstance(field, EmbeddedDocumentListField):
        schema["items"] = _object(embedded_fields(field), {})
    elif isinstance(field, ListField):
        schema["items"] = _schema(field.field)
    return schema


@driver_errors()
def missing_validators() -> list[str]:
    """The collections whose validator differs from their model's."""
    return [name for name in COLLECTIONS if get_collection(name).options().get("validator") != validator(name)]


@driver_errors()
def install_validators() -> list[str]:
    """Install missing or outdated validators; returns their collections.

    Existing documents stay, even invalid ones: mongod only checks writes.
    """
    create_collections(COLLECTIONS)
    changed = missing_validators()
    for name in changed:
        run_command("collMod", name, validator=validator(name), validationLevel="strict", validationAction="error")
    return changed
