"""A checksum of a set of documents that doesn't depend on their order.

It is the sum of the documents' SHA-256, each read as a big-endian number, modulo 2^256. So a collection can be read in
any order, from any number of shards. A document that is missing, doubled or changed changes the sum. (XOR wouldn't
notice two equal documents that are missing.)
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

_MODULUS = 2**256
_SMALLEST, _LARGEST = 5, 16 * 2**20 + 16 * 2**10  # bytes of a BSON document (BSONObjMaxInternalSize)


class NotBson(ValueError):
    """The bytes aren't BSON documents."""


@dataclass
class Sum:
    """The number of documents, their size in bytes of BSON, and their checksum so far."""

    documents: int = 0
    size: int = 0
    total: int = 0

    def add(self, document: bytes | memoryview) -> None:
        self.documents += 1
        self.size += len(document)
        self.total = (self.total + int.from_bytes(hashlib.sha256(document).digest(), "big")) % _MODULUS

    def add_all(self, batch: bytes) -> None:
        """Add the documents of a batch, one after the other. Raises NotBson."""
        for document in split(memoryview(batch)):
            self.add(document)

    @property
    def checksum(self) -> str:
        """64 hexadecimal digits."""
        return f"{self.total:064x}"


def split(data: memoryview) -> Iterator[memoryview]:
    """The whole BSON documents at the beginning of `data`. Raises NotBson."""
    position = 0
    while len(data) - position >= 4:
        size = int.from_bytes(data[position : position + 4], "little")
        if not _SMALLEST <= size <= _LARGEST:
            raise NotBson(f"a BSON document can't have {size} bytes")
        if len(data) - position < size:
            return
        yield data[position : position + size]
        position += size
