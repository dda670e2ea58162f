"""What a backup holds, as JSON. It is written last: a backup without a manifest isn't complete."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from bson import Timestamp, json_util

from app.db.backups import ids
from app.db.backups.access import UNKNOWN, Access
from app.db.backups.errors import BackupError, Damaged
from app.db.backups.stores import Store

NAME = "manifest.json"
FORMAT = 2
OLDER = (1,)  # without the cluster's id and access
_READABLE = [str(number) for number in (*OLDER, FORMAT)]
UNFINISHED = "unfinished_restore"  # the collection with the marker of a restore that isn't complete


@dataclass(frozen=True)
class Shape:
    """A collection without its documents: options (validator ...), indexes but `_id_`, and shard key, if any."""

    options: Mapping[str, Any]
    indexes: Sequence[Mapping[str, Any]]
    shard_key: Mapping[str, Any] | None


@dataclass(frozen=True)
class Entry:
    """A collection. `bytes` are of BSON, `checksum` is as in `checksums`, `size` and `sha256` are the file's."""

    name: str
    documents: int
    bytes: int
    checksum: str
    size: int
    sha256: str
    shape: Shape

    @property
    def file(self) -> str:
        """The file's name. No collection can leave the backup's directory."""
        return f"{quote(self.name, safe='')}.bson.zst.age"


@dataclass(frozen=True)
class Manifest:
    """`cluster_time` is the moment of which all documents are; `started` and `ended` are times of the backup itself.

    `cluster` is the id that MongoDB gave the sharded cluster, empty without shards. `access` is empty where the backup
    wasn't told.
    """

    id: str
    database: str
    cluster_time: Timestamp
    started: datetime
    ended: datetime
    mongodb: str
    public_keys: list[str]
    collections: list[Entry] = field(default_factory=list)
    cluster: str = ""
    access: Access = UNKNOWN

    @property
    def documents(self) -> int:
        return sum(entry.documents for entry in self.collections)

    @property
    def size(self) -> int:
        """Bytes of all encrypted files."""
        return sum(entry.size for entry in self.collections)


def dump(manifest: Manifest) -> bytes:
    """The manifest with a checksum of itself."""
    content = {"format": FORMAT, **asdict(manifest)}
    plain = json.loads(json_util.dumps(content, json_options=json_util.RELAXED_JSON_OPTIONS))
    return json.dumps({**plain, "checksum": _checksum(plain)}, indent=1).encode()


def read(store: Store, backup: str) -> Manifest:
    """A backup's manifest. Raises Damaged when there is none or it isn't as it was written; BackupError."""
    ids.check_id(backup)
    where = f"{backup}/{NAME}"
    try:
        with store.reader(backup, NAME) as file:
            text = file.read()
    except FileNotFoundError as error:
        raise Damaged(f"{where} is missing: the backup was never completed") from error
    except OSError as error:
        raise BackupError(f"{where} can't be read: {error.strerror}") from error
    try:
        plain = json.loads(text)
        if plain.get("format") not in (FORMAT, *OLDER):
            raise BackupError(f"{where} has format {plain.get('format')}; this release reads {' and '.join(_READABLE)}")
        if plain.pop("checksum") != _checksum(plain):
            raise ValueError("its checksum is another")
        manifest = _load(plain)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged(f"{where} is damaged: {error}") from error
    if manifest.id != backup:
        raise Damaged(f"{where} is that of {manifest.id}")
    if manifest.cluster_time.time != int(ids.moment(backup).timestamp()):
        raise Damaged(f"{where} is of another moment: {manifest.cluster_time.as_datetime():%Y-%m-%d %H:%M:%S} UTC")
    return manifest


def _load(plain: dict[str, Any]) -> Manifest:
    content = json_util.loads(json.dumps(plain))
    del content["format"]
    entries = [Entry(**{**entry, "shape": Shape(**entry["shape"])}) for entry in content["collections"]]
    access = Access(**content.get("access", {}))
    return Manifest(**{**content, "collections": entries, "access": access})


def _checksum(plain: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
