"""Slices of changes as files of a store: `changes-<id>/<number>.json`, and beside it a file with the events, if any.

A slice's JSON is published last. It has the checksum of the JSON before it, so that none can be left out, swapped or
taken from another chain.
"""

import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, cast

from bson import Timestamp, json_util

from app.db.backups.errors import BackupError, Damaged
from app.db.backups.stored import CHANGES
from app.db.backups.stores import Store

FORMAT = 1
_JSON = re.compile(r"(\d{8})\.json")


@dataclass(frozen=True)
class Slice:
    """All events after the cluster time `start`, up to `end`, that of the resume token `token`.

    `file` holds `events` events, `bytes` of BSON; there is none without events. `previous` is the checksum of the
    slice before it. `ended` says why the chain ends here; empty if it goes on.
    """

    chain: str
    number: int
    database: str
    start: Timestamp
    end: Timestamp
    token: str
    previous: str
    file: str = ""
    events: int = 0
    bytes: int = 0
    size: int = 0
    sha256: str = ""
    ended: str = ""

    @property
    def name(self) -> str:
        return json_name(self.number)


def json_name(number: int) -> str:
    return f"{number:08}.json"


def moment(token: str) -> Timestamp:
    """A resume token's cluster time."""
    return Timestamp(int(token[2:10], 16), int(token[10:18], 16))


def dump(one: Slice) -> tuple[bytes, str]:
    """A slice's JSON, and its checksum, which it contains."""
    plain = json.loads(json_util.dumps({"format": FORMAT, **asdict(one)}))
    checksum = _checksum(plain)
    return json.dumps({**plain, "checksum": checksum}, indent=1).encode(), checksum


def read(store: Store, chain: str, number: int) -> tuple[Slice, str]:
    """A slice and its checksum. Raises Damaged when it is missing or not as it was written; BackupError."""
    where = f"{chain}/{json_name(number)}"
    try:
        with store.reader(chain, json_name(number)) as file:
            text = file.read()
    except FileNotFoundError as error:
        raise Damaged(f"{where} is missing") from error
    except OSError as error:
        raise BackupError(f"{where} can't be read: {error.strerror or error}") from error
    try:
        plain = json.loads(text)
        checksum: str = plain.pop("checksum")
        if checksum != _checksum(plain):
            raise ValueError("its checksum is another")
        if plain.pop("format") != FORMAT:
            raise Damaged(f"{where} isn't of a format that this release reads")
        one = Slice(**json_util.loads(json.dumps(plain)))
        if not all(isinstance(getattr(one, each.name), cast(type, each.type)) for each in fields(one)):
            raise ValueError("a value has the wrong type")
        if one.start > one.end:
            raise ValueError("it ends before it starts")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise Damaged(f"{where} is damaged: {error}") from error
    if (one.chain, one.number) != (chain, number):
        raise Damaged(f"{where} is that of {one.chain}/{one.name}")
    return one, checksum


def _checksum(plain: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


@dataclass
class Chain:
    """The slices that a store has of a chain, by number, read when they are needed."""

    name: str
    numbers: Sequence[int]
    sizes: dict[str, int]
    store: Store = field(repr=False)
    _known: dict[int, tuple[Slice, str]] = field(default_factory=dict, repr=False)

    def slice(self, number: int) -> Slice:
        """Raises Damaged, BackupError."""
        return self._read(number)[0]

    def checksum(self, number: int) -> str:
        """Of a slice's JSON. Raises Damaged, BackupError."""
        return self._read(number)[1]

    def _read(self, number: int) -> tuple[Slice, str]:
        if number not in self._known:
            self._known[number] = read(self.store, self.name, number)
        return self._known[number]

    def first(self) -> Slice:
        """The first slice that can be read. Raises Damaged when there is none; BackupError."""
        for number in self.numbers[:-1]:
            with suppress(Damaged):
                return self.slice(number)
        return self.slice(self.numbers[-1])

    def end(self) -> Timestamp:
        """That of the last slice that can be read. Raises Damaged when there is none; BackupError."""
        for number in reversed(self.numbers[1:]):
            with suppress(Damaged):
                return self.slice(number).end
        return self.slice(self.numbers[0]).end

    @property
    def start(self) -> Timestamp:
        return self.slice(self.numbers[0]).start

    def place(self, moment: Timestamp) -> int:
        """The index in `numbers` of the slice that has what follows a moment. Raises BackupError.

        A damaged one may have it, unless a whole one says otherwise.
        """

        def may_have(number: int) -> bool:
            try:
                return self.slice(number).end >= moment
            except Damaged:
                return True

        place = bisect_left(self.numbers, True, key=may_have)
        for index in range(place, len(self.numbers)):
            with suppress(Damaged):
                one = self.slice(self.numbers[index])
                if one.end >= moment:
                    return index if one.start <= moment else place
                place = index + 1
        return place

    def unbroken(self, place: int) -> Sequence[int]:
        """The numbers from an index on, up to the first that is missing."""
        numbers = self.numbers[place:]
        return [number for offset, number in enumerate(numbers) if number == numbers[0] + offset]


def is_chain(name: str) -> bool:
    """Whether a directory of the store holds changes, not a full backup."""
    return name.startswith(CHANGES)


def chains(store: Store) -> Iterator[Chain]:
    """The chains in a store that have slices, oldest first. Raises BackupError."""
    try:
        for name in sorted(filter(is_chain, store.backups())):
            sizes = store.sizes(name)
            numbers = sorted(int(found[1]) for file in sizes if (found := _JSON.fullmatch(file)))
            if numbers:
                yield Chain(name, numbers, sizes, store)
    except OSError as error:
        raise BackupError(f"the archived changes can't be listed: {error.strerror or error}") from error


def complete_second(end: Timestamp) -> datetime:
    """The last second of which no change can come any more when all until `end` are known."""
    return datetime.fromtimestamp(end.time - 1, UTC)
