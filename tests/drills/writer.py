"""Writes through the router all the time and records which writes were acknowledged by a majority."""

from __future__ import annotations

import itertools
import secrets
import threading
from typing import Any

from pymongo import WriteConcern
from pymongo.errors import PyMongoError

from tests.deployed import Client

EVERY = 0.2  # seconds


class Writer:
    """Inserts a numbered document every 200 ms until the context ends; removes its collection then.

    After a failure it goes on with the next of its clients, and after the last with the first again. `acknowledged` has
    the numbers that a majority has, `failures` the error of each other one by number.
    """

    def __init__(self, *clients: Client) -> None:
        name, majority = f"writer_{secrets.token_hex(4)}", WriteConcern("majority")
        collections = [client["movie_library"].get_collection(name, write_concern=majority) for client in clients]
        self._others = itertools.cycle(collections)
        self._collection = next(self._others)
        self._last = collections[-1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.acknowledged: list[int] = []
        self.failures: dict[int, str] = {}

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()
        self._last.drop()

    def lost(self) -> list[int]:
        """Acknowledged numbers that aren't there, for the last client. To call inside the context."""
        there = {document["_id"] for document in self._last.find()}
        return [number for number in list(self.acknowledged) if number not in there]

    def failures_in_a_row(self) -> int:
        """The most failures without an acknowledged write between them."""
        runs = itertools.groupby(range(len(self.acknowledged) + len(self.failures)), self.failures.__contains__)
        return max((len(list(run)) for failed, run in runs if failed), default=0)

    def _write(self) -> None:
        number = 0
        while not self._stop.wait(EVERY):
            try:
                self._collection.insert_one({"_id": number})
                self.acknowledged.append(number)
            except PyMongoError as error:
                self.failures[number] = str(error)
                self._collection = next(self._others)
            number += 1
