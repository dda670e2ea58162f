"""The documents of the film library: fields, domains, shard keys and indexes.

A unique index of a sharded collection must start with the shard key; `_id` of `movies` does not and so is kept
unique by `app.db.films.claims`. The deployment shards the collections: it knows of shards, this package doesn't.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from bson import ObjectId
from mongoengine import (
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    FloatField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)

from app.db.core.errors import BadQuery
from app.db.core.text import HASH_MODULUS

MOVIE_TYPES = ("MOVIE", "SHOW")
CREDIT_ROLES = ("DIRECTOR", "WRITER", "ACTOR")
USER, ADMIN, SUPERADMIN = 0, 1, 2

MAX_ID = 64
# Characters that need no escapes in a URL (RFC 3986, 2.3). Excluded are names with another meaning in a path: browsers
# resolve dots, and the admin app's lists have pages of these names.
ID_PATTERN = r"^(?!(\.{1,2}|bulk|export|new|views)$)[A-Za-z0-9._~-]+$"
MAX_NAME = 200
MAX_TITLE = 500


def now() -> datetime:
    """The current time in UTC, in milliseconds as BSON stores it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _score() -> FloatField:
    return FloatField(min_value=0, max_value=10)


def _count() -> IntField:
    return IntField(min_value=0, max_value=2**31 - 1)


def _names() -> ListField:
    return ListField(StringField(min_length=1, max_length=MAX_NAME), max_length=100)


def _required_text(longest: int) -> StringField:
    return StringField(required=True, min_length=1, max_length=longest)


class Movie(Document):
    """A film or a show. The last fields are derived: from the title, by `films.ranking` and by `films.posters`."""

    id = StringField(primary_key=True, required=True, max_length=MAX_ID, regex=ID_PATTERN)
    title = _required_text(MAX_TITLE)
    type = StringField(required=True, choices=MOVIE_TYPES)
    description = StringField(max_length=10_000)
    release_year = IntField(min_value=1870, max_value=2200)
    age_certification = StringField(max_length=20)
    runtime = IntField(min_value=0, max_value=100_000)  # minutes
    genres = _names()
    production_countries = _names()
    seasons = IntField(min_value=0, max_value=10_000)
    imdb_id = StringField(max_length=MAX_ID)
    imdb_score = _score()
    imdb_votes = _count()
    tmdb_popularity = FloatField(min_value=0, max_value=1_000_000_000)  # no scale; the bound excludes infinity
    tmdb_score = _score()
    critics_score = _score()  # Rotten Tomatoes: the critics' average rating, and the number of reviews
    critics_reviews = _count()
    title_hash = IntField(required=True, min_value=0, max_value=HASH_MODULUS - 1)
    title_norm = StringField()
    search_tokens = ListField(StringField())
    ranking_score = _score()
    poster = StringField(max_length=MAX_ID)  # version of the picture in `posters`; absent where there is none

    derived: ClassVar = ("title_hash", "title_norm", "search_tokens", "ranking_score", "poster")
    private: ClassVar = ()
    meta: ClassVar = {
        "collection": "movies",
        "shard_key": ("title_hash",),
        "auto_create_index": False,
        "indexes": [
            {"fields": ["search_tokens", "-ranking_score", "-id"]},
            {"fields": ["type", "ranking_score", "id"]},
            {"fields": ["ranking_score", "id"]},
            {"fields": ["title", "id"]},
            {"fields": ["release_year", "id"]},
            {"fields": ["runtime", "id"]},
            {"fields": ["critics_score", "id"]},
            {"fields": ["imdb_score", "id"]},
            {"fields": ["genres", "-ranking_score", "-id"]},
            {"fields": ["production_countries", "-ranking_score", "-id"]},
            {"fields": ["release_year", "-ranking_score", "-id"]},
            {"fields": ["title_norm", "-ranking_score", "-id"]},
        ],
    }


class Credit(Document):
    """One person's part in one film; a character is known only for actors, and not in every source."""

    id = ObjectIdField(primary_key=True, default=ObjectId)
    movie_id = _required_text(MAX_ID)
    person_id = _required_text(MAX_ID)
    name = _required_text(MAX_NAME)
    character = StringField(max_length=1000)
    role = StringField(required=True, choices=CREDIT_ROLES)

    derived: ClassVar = ()
    private: ClassVar = ()
    meta: ClassVar = {
        "collection": "credits",
        "shard_key": ("movie_id",),
        "auto_create_index": False,
        "indexes": [
            {"fields": ["movie_id", "person_id", "role", "character"], "unique": True},
            {"fields": ["name", "id"]},
            {"fields": ["person_id", "id"]},
            {"fields": ["person_id", "role", "movie_id"]},
        ],
    }


class User(Document):
    """An account of the user app. Names are lower case, so Ada and ada can't be two accounts."""

    id = StringField(primary_key=True, min_length=1, max_length=MAX_ID)
    username = _required_text(64)
    password_hash = _required_text(200)
    created_at = DateTimeField(required=True, default=now)

    derived: ClassVar = ()
    private: ClassVar = ("password_hash",)
    meta: ClassVar = {
        "collection": "users",
        "strict": False,  # earlier releases' users have an `admin_status`, which nothing reads
        "auto_create_index": False,
        "indexes": [
            {"fields": ["username"], "unique": True},
            {"fields": ["username", "id"]},
            {"fields": ["created_at", "id"]},
        ],
    }


class Passkey(EmbeddedDocument):
    """An administrator's passkey (app.db.accounts.passkeys); ids and keys as base64url."""

    key_id = _required_text(1364)  # 1,023 bytes (WebAuthn 3, 5.4.7)
    public_key = _required_text(1364)
    sign_count = IntField(required=True, min_value=0, max_value=2**32 - 1)
    host = _required_text(253)  # the only host name at which browsers use it (the RP ID)
    name = _required_text(64)
    created_at = DateTimeField(required=True, default=now)
    used_at = DateTimeField()


class Administrator(Document):
    """An account of the admin app. The user app's database user can't access the collection."""

    id = StringField(primary_key=True, min_length=1, max_length=MAX_ID)
    username = _required_text(64)
    password_hash = _required_text(200)
    admin_status = IntField(required=True, choices=(ADMIN, SUPERADMIN))
    created_at = DateTimeField(required=True, default=now)
    password_expired_at = DateTimeField()  # when somebody else set it; absent once the administrator has changed it
    totp_secret = StringField(max_length=64)  # of the second factor (app.db.accounts.second_factor)
    totp_step = IntField(min_value=0)  # the step of the last code accepted
    recovery_codes = ListField(StringField(max_length=64), max_length=20)  # hashes
    passkeys = EmbeddedDocumentListField(Passkey, max_length=10)

    derived: ClassVar = ()
    private: ClassVar = (
        "password_hash",
        "password_expired_at",
        "totp_secret",
        "totp_step",
        "recovery_codes",
        "passkeys",
    )
    meta: ClassVar = {
        "collection": "administrators",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["username"], "unique": True},
            {"fields": ["username", "id"]},
            {"fields": ["created_at", "id"]},
            {"fields": ["admin_status", "id"]},
        ],
    }


class UserInteraction(Document):
    """A like: one user likes one film."""

    id = ObjectIdField(primary_key=True, default=ObjectId)
    user_id = _required_text(MAX_ID)
    movie_id = _required_text(MAX_ID)
    created_at = DateTimeField(required=True, default=now)

    derived: ClassVar = ()
    private: ClassVar = ()
    meta: ClassVar = {
        "collection": "user_interactions",
        "shard_key": ("user_id",),
        "auto_create_index": False,
        "indexes": [
            {"fields": ["user_id", "movie_id"], "unique": True},
            {"fields": ["user_id", "-created_at", "-id"]},
            {"fields": ["movie_id", "id"]},
            {"fields": ["created_at", "id"]},
        ],
    }


Model = type[Movie] | type[Credit] | type[User] | type[UserInteraction] | type[Administrator]

COLLECTIONS: dict[str, Model] = {
    "movies": Movie,
    "credits": Credit,
    "users": User,
    "user_interactions": UserInteraction,
    "administrators": Administrator,
}


def get_model(collection: str) -> Model:
    """The model of a collection. Raises BadQuery for a name that isn't in COLLECTIONS."""
    model = COLLECTIONS.get(collection) if isinstance(collection, str) else None
    if model is None:
        raise BadQuery(f"no such collection: {collection!r:.80}; there are {', '.join(COLLECTIONS)}")
    return model


@dataclass(frozen=True)
class Index:
    """An index as a model declares it: (field, direction) pairs."""

    keys: list[tuple[str, int]]
    unique: bool


@dataclass(frozen=True)
class Declaration:
    """What a model declares, with field names as the database has them (`_id`, not `id`)."""

    fields: dict[str, Any]  # name -> MongoEngine field, in declaration order
    shard_key: tuple[str, ...]  # empty where the collection isn't sharded
    indexes: list[Index]  # without MongoDB's own on `_id`


def _declared(model: Model) -> Declaration:
    """The only place that reads MongoEngine's private attributes."""
    fields = (model._fields[name] for name in model._fields_ordered)
    return Declaration(
        fields={field.db_field: field for field in fields},
        shard_key=tuple(model._meta.get("shard_key", ())),
        indexes=[Index(index["fields"], index.get("unique", False)) for index in model._meta["index_specs"]],
    )


_DECLARATIONS: dict[Model, Declaration] = {model: _declared(model) for model in COLLECTIONS.values()}


def declaration(model: Model) -> Declaration:
    """The fields, shard key and indexes of a model."""
    return _DECLARATIONS[model]


def fields_of(model: Model) -> dict[str, Any]:
    """Field name in the database -> MongoEngine field, in declaration order."""
    return declaration(model).fields


def embedded_fields(field: EmbeddedDocumentListField) -> dict[str, Any]:
    """The fields of a list's documents, as `fields_of`."""
    return {inner.db_field: inner for inner in field.field.document_type._fields.values()}


def index_fields(collection: str) -> list[list[str]]:
    """The fields of each index in order, MongoDB's own on `_id` first."""
    return [["_id"], *([name for name, _ in index.keys] for index in declaration(get_model(collection)).indexes)]


def sortable_fields(collection: str) -> list[str]:
    """The fields that `listing` can sort by: `_id`, and each field with an index on itself and `_id`."""
    return ["_id", *(fields[0] for fields in index_fields(collection) if fields[1:] == ["_id"])]


def public_account(account: dict[str, Any]) -> dict[str, Any]:
    """An account without private fields: {_id, username, created_at}, of an administrator also admin_status."""
    return {name: account[name] for name in ("_id", "username", "admin_status", "created_at") if name in account}
