"""Writes through the router all the time and records which writes were acknowledged by a majority."""

from __future__ import annotations

import secrets
import threading
from typing import Any

from pymongo import WriteConcern
from pymongo.errors import PyMongoError

from tests.deployed import Client

EVERY = 0.2  # seconds


class Writer:
    """Inserts a numbered document every 200 ms until the context ends; removes its collection then.

    `acknowledged` has the numbers that a majority has, `failures` the error of each other one by number.
    """

    def __init__(self, client: Client) -> None:
        self._collection = client["movie_library"].get_collection(
            f"writer_{secrets.token_hex(4)}", write_concern=WriteConcern("majority")
        )
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
        self._collection.drop()

    def lost(self) -> list[int]:
        """Acknowledged numbers that aren't there. To call inside the context."""
        there = {document["_id"] for document in self._collection.find()}
        return [number for number in list(self.acknowledged) if number not in there]

    def _write(self) -> None:
        number = 0
        while not self._stop.wait(EVERY):
            try:
                self._collection.insert_one({"_id": number})
                self.acknowledged.append(number)
            except PyMongoError as error:
                self.failures[number] = str(error)
            number += 1
