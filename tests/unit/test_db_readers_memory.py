"""Reading any file takes no more memory than a few batches, measured in a separate process."""

import gzip
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.paths import ROOT

MB = 1 << 20
READ = """
import resource, sys
from app.db.transfer.readers import FileUnreadable, Reader

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

before, records, problem = peak(), 0, "read"
try:
    with open(sys.argv[1], "rb") as file:
        for batch in Reader(file, sys.argv[1]).batches():
            records += len(batch.documents)
except FileUnreadable as error:
    problem = str(error)
print((peak() - before) // 1024, records, problem)
"""


def read(path: Path) -> tuple[int, int, str]:
    """MB that reading took at its peak, records, and "read" or why not."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    megabytes, records, problem = done.stdout.strip().split(" ", 2)
    return int(megabytes), int(records), problem


def pieces(start: bytes, piece: bytes, size: int, end: bytes = b"") -> Iterator[bytes]:
    """`start`, about `size` MB of `piece`s, `end`."""
    yield start
    block = piece * (MB // len(piece) + 1)
    for _ in range(size * MB // len(block)):
        yield block
    yield end


def columns(count: int) -> bytes:
    return ",".join(f"c{number}" for number in range(count)).encode() + b"\n"


FILM = b'{"_id": "f1", "title": "A film", "type": "MOVIE", "description": "' + b"x" * 4000 + b'"}'


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("line.jsonl", lambda: pieces(b'{"title": "', b"x", 200), "has more than 1,048,576 characters"),
        ("string.json", lambda: pieces(b'[{"title": "', b"x", 200), "Unterminated string"),
        ("cell.csv", lambda: pieces(b'id,title\n1,"', b"x" * 9_000 + b"\n", 200), "read"),
        ("record.csv", lambda: pieces(b"id,title\n1", b',"x\ny"', 50), "a record has more than 1,048,576 characters"),
        ("cells.csv", lambda: pieces(b"id,title\n1,", b"x,", 50), "has more than 1,048,576 characters"),
        ("columns.csv", lambda: pieces(columns(100_000), b"," * 99_999 + b"\n", 50), "has more than 500 columns"),
        ("commas.csv", lambda: pieces(columns(500), b"," * 499 + b"\n", 50), "read"),
        ("blank.json", lambda: pieces(b"[", b" \n", 50), "the array isn't closed"),
        ("films.jsonl", lambda: pieces(b"", FILM + b"\n", 150), "read"),
        ("films.json", lambda: pieces(b"[", FILM + b",\n", 100, FILM + b"]"), "read"),
    ],
)
def test_huge_files_take_little_memory(
    tmp_path: Path, name: str, content: Callable[[], Iterator[bytes]], problem: str
) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        file.writelines(content())
    megabytes, records, said = read(path)
    path.unlink()
    assert problem in said
    assert megabytes < 80  # four batches of 4 MB and what parsing makes of them
    assert (records > 20_000) == (problem == "read")


def test_a_bomb_takes_little_memory_and_time(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        file.writelines(pieces(b"", b" ", 200))
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(packed.getvalue() * 20)  # 4 GB: members of one file after the other
    megabytes, _, said = read(path)
    assert "unpacks to more than 200 times its size" in said or "has more than 1,048,576 characters" in said
    assert megabytes < 80


def test_many_records_that_parse_into_much_are_read_in_small_batches(tmp_path: Path) -> None:
    path = tmp_path / "lists.jsonl"
    path.write_bytes((b'{"genres": [' + b"[]," * 300_000 + b"[]]}\n") * 24)
    megabytes, records, said = read(path)
    assert (records, said) == (24, "read")
    assert megabytes < 300  # 21 MB of text; 500 MB as lists, were they all kept
