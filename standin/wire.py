"""The MongoDB wire protocol: OP_MSG, and the legacy OP_QUERY of drivers' first hello.

Documents that the router only passes on stay raw BSON (`RawBSONDocument`).
https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
"""

import asyncio
import itertools
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

from standin.errors import ProtocolError

RAW: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS
)
PLAIN: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict, datetime_conversion=DatetimeConversion.DATETIME_MS
)

OP_REPLY = 1
OP_QUERY = 2004
OP_MSG = 2013

CHECKSUM_PRESENT = 1 << 0
MORE_TO_COME = 1 << 1
EXHAUST_ALLOWED = 1 << 16

HEADER = struct.Struct("<iiii")  # length, request id, response to, operation code
MAX_MESSAGE_BYTES = 48_000_000
# With room for the fields that a router adds to a client's largest command.
MAX_RECEIVED_BYTES = MAX_MESSAGE_BYTES + 1_000_000

_request_ids = itertools.count(1)


@dataclass
class Message:
    """A client's request. Document sequences are folded into `command` as lists of raw documents."""

    request_id: int
    operation: int
    flags: int
    command: dict[str, Any]


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """Read one message: its request id, operation code and body.

    Raises asyncio.IncompleteReadError when the peer is gone, ProtocolError for an impossible length.
    """
    length, request_id, _, operation = HEADER.unpack(await reader.readexactly(HEADER.size))
    if not HEADER.size <= length <= MAX_RECEIVED_BYTES:
        raise ProtocolError(f"message of {length} bytes")
    return request_id, operation, await reader.readexactly(length - HEADER.size)


def parse_request(request_id: int, operation: int, body: bytes) -> Message:
    """Raises ProtocolError unless it is a well-formed OP_MSG or OP_QUERY command."""
    try:
        if operation == OP_MSG:
            flags, command = _parse_op_msg(body)
        elif operation == OP_QUERY:
            flags, command = 0, _parse_op_query(body)
        else:
            raise ProtocolError(f"operation code {operation} is not supported")
        if not command:
            raise ProtocolError("empty command")
    except (struct.error, ValueError, IndexError, bson.errors.BSONError) as error:
        raise ProtocolError(f"malformed message: {error}") from error
    return Message(request_id, operation, flags, command)


def _parse_op_msg(body: bytes) -> tuple[int, dict[str, Any]]:
    (flags,) = struct.unpack_from("<I", body)
    end = len(body) - (4 if flags & CHECKSUM_PRESENT else 0)
    position = 4
    command: dict[str, Any] = {}
    sequences: dict[str, list[RawBSONDocument]] = {}
    while position < end:
        kind = body[position]
        (size,) = struct.unpack_from("<i", body, position + 1)
        start, position = position + 1, position + 1 + size
        if size < 5 or position > end:
            raise ProtocolError("a section is longer than the message")
        if kind == 0:
            command = dict(RawBSONDocument(body[start:position], RAW).items())
        elif kind == 1:
            name_end = body.index(b"\0", start + 4)
            sequences[body[start + 4 : name_end].decode()] = _split_documents(body[name_end + 1 : position])
        else:
            raise ProtocolError(f"section of kind {kind}")
    command.update(sequences)
    return flags, command


def _split_documents(data: bytes) -> list[RawBSONDocument]:
    documents = []
    position = 0
    while position < len(data):
        (size,) = struct.unpack_from("<i", data, position)
        if size < 5:
            raise ProtocolError("document too short")
        documents.append(RawBSONDocument(data[position : position + size], RAW))
        position += size
    return documents


def _parse_op_query(body: bytes) -> dict[str, Any]:
    name_end = body.index(b"\0", 4)
    namespace = body[4:name_end].decode()
    if not namespace.endswith(".$cmd"):
        raise ProtocolError("OP_QUERY is accepted for commands only")
    start = name_end + 9  # after numberToSkip and numberToReturn
    (size,) = struct.unpack_from("<i", body, start)
    command = dict(RawBSONDocument(body[start : start + size], RAW).items())
    if "$query" in command:
        command = dict(command["$query"].items())
    command["$db"] = namespace.removesuffix(".$cmd")
    return command


def encode_request(
    document: Mapping[str, Any], sequences: Mapping[str, Sequence[RawBSONDocument]] | None = None
) -> bytes:
    """An OP_MSG request. `sequences` go as document sequences: without the 16 MB limit, and without re-encoding."""
    parts = [struct.pack("<IB", 0, 0), bson.encode(document, codec_options=PLAIN)]
    for name, documents in (sequences or {}).items():
        payload = name.encode() + b"\0" + b"".join(item.raw for item in documents)
        parts.append(struct.pack("<Bi", 1, 4 + len(payload)))
        parts.append(payload)
    body = b"".join(parts)
    return HEADER.pack(HEADER.size + len(body), next(_request_ids), 0, OP_MSG) + body


def encode_reply(message: Message, document: Mapping[str, Any], flags: int = 0) -> bytes:
    """The reply to a request, in the request's own format."""
    payload = bson.encode(document, codec_options=PLAIN)
    if message.operation == OP_MSG:
        prefix = struct.pack("<IB", flags, 0)
        code = OP_MSG
    else:
        prefix = struct.pack("<iqii", 8, 0, 0, 1)
        code = OP_REPLY
    length = HEADER.size + len(prefix) + len(payload)
    return HEADER.pack(length, next(_request_ids), message.request_id, code) + prefix + payload


def parse_reply(body: bytes) -> RawBSONDocument:
    return RawBSONDocument(body[5:], RAW)


def plain(value: Any) -> Any:
    """Turn raw BSON into dicts and lists, recursively."""
    if isinstance(value, RawBSONDocument):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def as_raw(document: Mapping[str, Any]) -> RawBSONDocument:
    if isinstance(document, RawBSONDocument):
        return document
    return RawBSONDocument(bson.encode(document, codec_options=PLAIN), RAW)
