"""Holds the connection. MongoEngine's registry is global, so only this module touches it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import mongoengine
import pymongo
from bson import Timestamp
from pymongo import errors as driver
from pymongo import uri_parser
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from app.db.core.errors import DatabaseError, DatabaseUnavailable, Duplicate, ValidationFailed
from app.settings import SettingError, setting

Row = dict[str, Any]
T = TypeVar("T")

# An election takes up to 12 s by MongoDB's manual (electionTimeoutMillis 10 s), the new primary may wait another 2 s
# for a dead member (catchUpTimeoutMillis), and servers may ask a dead config server for up to 20 s (measured).
# Until then the driver retries, so losing a primary is a pause, not an error.
OPERATION_TIMEOUT_MS = 30_000
PING_TIMEOUT_S = 2.0

# AuthenticationFailed; FailedToSatisfyReadPreference: the router gave up looking for a primary; and what a router or
# shard returns after losing a connection or waiting too long: HostUnreachable, HostNotFound, NetworkTimeout,
# ReadConcernMajorityNotAvailableYet, NetworkInterfaceExceededTimeLimit, ExceededTimeLimit, SocketException.
_UNAVAILABLE = frozenset({18, 133, 6, 7, 89, 134, 202, 262, 9001})
# BadValue with this text: a query names an index that `film-library init-db` of this release has yet to build.
_BAD_VALUE, _NO_INDEX = 2, "hint provided does not correspond to an existing index"
DOCUMENT_VALIDATION_FAILURE, DUPLICATE_KEY = 121, 11000
REFUSED = "is refused by the collection's validator"


@dataclass(frozen=True)
class DatabaseConfig:
    """Where the database is. The URI holds a password and so stays out of repr."""

    uri: str = field(repr=False)
    database: str = "movie_library"
    application: str = "film-library"

    @classmethod
    def from_env(cls, application: str = "film-library") -> "DatabaseConfig":
        """From FILM_LIBRARY_MONGODB_URI and FILM_LIBRARY_DATABASE. Raises SettingError when there is no URI."""
        return cls(
            uri=setting("FILM_LIBRARY_MONGODB_URI"),
            database=setting("FILM_LIBRARY_DATABASE", "movie_library"),
            application=application,
        )


_config: DatabaseConfig | None = None


def client_options(application: str) -> dict[str, Any]:
    """Options for every client of this project: all operations have a time limit, and no acknowledged write is lost."""
    return {
        "appname": application,
        "timeoutMS": OPERATION_TIMEOUT_MS,
        "connectTimeoutMS": 5_000,
        "retryReads": True,
        "retryWrites": True,
        "w": "majority",
    }


def connect(config: DatabaseConfig) -> None:
    """Set where the database is. Opens no socket until the first operation, so a server may fork after this.

    Calling it again replaces the connection. Raises SettingError when the URI is malformed or names another database.
    """
    global _config  # noqa: PLW0603 -- one connection a process, as MongoEngine's registry has it
    disconnect()
    try:
        own = uri_parser.parse_uri(config.uri)["database"]
    except (driver.InvalidURI, driver.ConfigurationError) as error:
        raise SettingError(f"FILM_LIBRARY_MONGODB_URI is not a MongoDB URI: {error}") from error
    if own not in (None, config.database):
        # MongoEngine would silently use that one. The user's database is set with authSource.
        raise SettingError(f"FILM_LIBRARY_MONGODB_URI names database {own}, FILM_LIBRARY_DATABASE {config.database}")
    mongoengine.register_connection(
        mongoengine.DEFAULT_CONNECTION_NAME,
        db=config.database,
        host=config.uri,
        tz_aware=True,
        uuidRepresentation="standard",
        connect=False,
        **client_options(config.application),
    )
    mongoengine.get_connection()  # now, as two threads might each create a client later
    _config = config


def disconnect() -> None:
    """Close the connection, if there is one."""
    global _config  # noqa: PLW0603
    mongoengine.disconnect()
    _config = None


def current_config() -> DatabaseConfig:
    """The configuration passed to `connect`. Raises SettingError before that."""
    if _config is None:
        raise SettingError("not connected: call app.db.core.connect first")
    return _config


def get_collection(name: str) -> Collection[Row]:
    """The collection `name` of the configured database, for this package's own modules."""
    return get_database()[name]


def get_database() -> Database[Row]:
    """The configured database, for this package's own modules."""
    database: Database[Row] = mongoengine.get_db()
    return database


def run_command(name: str, value: Any = 1, **arguments: Any) -> Row:
    """The answer to a database command."""
    return get_database().command(name, value, **arguments)


def create_collections(names: Iterable[str]) -> None:
    """Create the missing ones: a transaction that writes to several shards can't."""
    there = set(get_database().list_collection_names())
    for name in names:
        if name not in there:
            with suppress(driver.CollectionInvalid):  # created concurrently
                get_database().create_collection(name)


def insert_missing(name: str, documents: list[Row]) -> int:
    """Insert documents in one batch; returns how many. Those whose `_id` or unique fields exist are skipped."""
    if not documents:
        return 0
    try:
        return len(get_collection(name).insert_many(documents, ordered=False).inserted_ids)
    except driver.BulkWriteError as error:
        failed = any(problem["code"] != DUPLICATE_KEY for problem in error.details["writeErrors"])
        if failed or error.details["writeConcernErrors"]:
            raise
        return int(error.details["nInserted"])


def in_transaction(work: Callable[[ClientSession], T]) -> T:
    """Call `work` with a session in a transaction and return its result.

    It is called again after an election or a conflict, so it must let the driver's errors pass and have no effects
    outside the session. It sees all shards at one point in time.
    """
    with get_database().client.start_session() as session:
        result: T = session.with_transaction(work, read_concern=ReadConcern("snapshot"))
        return result


@contextmanager
def snapshot_session(at: Timestamp | None = None) -> Iterator[ClientSession]:
    """A session whose reads are all of one moment over all shards: that of its first read, or the cluster time `at`.

    `find` and `aggregate` take it. They raise the driver's error with code 239 (SnapshotTooOld) when the servers have
    dropped the history of that moment (`minSnapshotHistoryWindowInSeconds`). A session is for one thread.
    """
    with get_database().client.start_session(snapshot=True) as session:
        if at is not None:
            session._snapshot_time = at  # type: ignore[assignment]  # PyMongo has no public name for it
        yield session


def snapshot_time(session: ClientSession) -> Timestamp | None:
    """The cluster time that the session reads at; None before its first read."""
    found: Timestamp | None = session._snapshot_time
    return found


def raw_batches(name: str, session: ClientSession | None = None, size: int = 0) -> Iterator[bytes]:
    """All documents of a collection as BSON, many at a time, or at most `size`; their order isn't defined."""
    with closing(get_collection(name).find_raw_batches({}, session=session, batch_size=size)) as cursor:
        yield from cast(Iterable[bytes], cursor)  # PyMongo's types say documents


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """A time limit other than OPERATION_TIMEOUT_MS for the operations inside: for bulk work, or a quick probe."""
    with pymongo.timeout(seconds):
        yield


@contextmanager
def driver_errors() -> Iterator[None]:
    """Turn the driver's and MongoEngine's errors into `app.db.core.errors`; usable as a decorator too."""
    try:
        yield
    except (mongoengine.NotUniqueError, driver.DuplicateKeyError) as error:
        raise Duplicate("a document with this identity exists already") from error
    except mongoengine.ValidationError as error:
        raise ValidationFailed({name: str(reason) for name, reason in error.to_dict().items()}) from error
    except driver.PyMongoError as error:
        code = getattr(error, "code", None)
        if code == DOCUMENT_VALIDATION_FAILURE:
            raise ValidationFailed(dict.fromkeys(refused_fields(error), REFUSED)) from error
        reason = _plain(error)
        lacks_index = code == _BAD_VALUE and _NO_INDEX in reason
        if isinstance(error, driver.ConnectionFailure) or error.timeout or code in _UNAVAILABLE or lacks_index:
            raise DatabaseUnavailable(reason) from error
        raise DatabaseError(reason) from error


def _plain(error: driver.PyMongoError) -> str:
    details: Mapping[str, Any] | None = getattr(error, "details", None)
    return str(details.get("errmsg")) if details and details.get("errmsg") else str(error)


def refused_fields(error: driver.PyMongoError) -> list[str]:
    """The fields for which a validator (see `app.db.schema`) refused a document, ["document"] if unknown."""
    details: Mapping[str, Any] = getattr(error, "details", None) or {}
    rules = details.get("errInfo", {}).get("details", {}).get("schemaRulesNotSatisfied", [])
    fields: list[str] = []
    for rule in rules:
        fields += [broken["propertyName"] for broken in rule.get("propertiesNotSatisfied", [])]
        fields += [*rule.get("missingProperties", []), *rule.get("additionalProperties", [])]
    return fields or ["document"]


def ping() -> None:
    """Read any film. Raises DatabaseUnavailable within PING_TIMEOUT_S seconds on any failure.

    The command `ping` wouldn't do: a router answers it itself, while a read without a filter reaches the shards.
    """
    try:
        with driver_errors(), time_limit(PING_TIMEOUT_S):
            get_collection("movies").find_one({}, {"_id": 1})
    except DatabaseError as error:
        raise DatabaseUnavailable(str(error)) from error
