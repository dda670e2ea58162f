"""Reading records out of files, whatever their format, with the line of each."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db import imports
from app.db.bulk import Malformed
from app.db.imports import FileUnreadable, read_records

Write = Any


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_json_lines_have_their_line_numbers_and_bad_lines_are_passed_over(write: Write) -> None:
    path = write("films.jsonl", '{"a": 1}\n\n{"a": \n[1]\n{"a": 2}')
    records = list(read_records(path))
    assert [line for line, _ in records] == [1, 3, 4, 5]
    assert [records[0][1], records[3][1]] == [{"a": 1}, {"a": 2}]
    assert all(isinstance(records[i][1], Malformed) for i in (1, 2))


def test_a_json_array_has_the_line_that_each_item_begins_in(write: Write) -> None:
    path = write("films.json", ' [\n {"a":\n  1},\n\n {"a": 2}, 5\n]\n')
    assert list(read_records(path)) == [(2, {"a": 1}), (5, {"a": 2}), (5, Malformed("5\n]\n", "is not a JSON object"))]


@pytest.mark.parametrize("content", ["[]", " [ ] ", ""])
def test_files_without_records(write: Write, content: str) -> None:
    assert list(read_records(write("films.json", content))) == []


@pytest.mark.parametrize(
    ("content", "line"),
    [('[{"a": 1}', 1), ('[{"a": 1}\n{"a": 2}]', 2), ('[\n{"a": }]', 2), ("[\n\n", 3), ("[" * 100_000, 1)],
)
def test_a_broken_array_ends_with_file_and_line(write: Write, content: str, line: int) -> None:
    path = write("films.json", content)
    with pytest.raises(FileUnreadable, match=rf"films\.json: line {line}: "):
        list(read_records(path))


@settings(max_examples=60)
@given(
    items=st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=30) | st.integers(), max_size=3), max_size=6),
    indent=st.sampled_from([None, 1]),
    chunk=st.integers(1, 9),
)
def test_an_array_is_read_the_same_whatever_the_chunk_size(items: list[Any], indent: int | None, chunk: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "films.json"
        path.write_text(json.dumps(items, indent=indent, ensure_ascii=False), encoding="utf-8")
        patch.setattr(imports, "CHUNK", chunk)
        assert [item for _, item in read_records(path)] == items


def test_csv_cells_may_hold_commas_quotes_and_line_ends(write: Write) -> None:
    path = write("f.csv", '\ufeffid,title,genres\r\na,"One, ""two""\nthree","[\'x\', \'y\']"\r\nb,Four,\r\n')
    assert list(read_records(path)) == [
        (2, {"id": "a", "title": 'One, "two"\nthree', "genres": "['x', 'y']"}),
        (4, {"id": "b", "title": "Four", "genres": ""}),
    ]


def test_csv_rows_of_another_length_are_malformed(write: Write) -> None:
    path = write("f.csv", "id,title\na\nb,Two,more\nc,Three\n")
    assert list(read_records(path)) == [
        (2, Malformed("", "has fewer cells than the heading")),
        (3, Malformed("", "has more cells than the heading")),
        (4, {"id": "c", "title": "Three"}),
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("f.csv", "id,id\n1,2\n", "two columns have one name"),
        ("f.csv", 'id,title\n1,"open', "unexpected end of data"),
        ("f.csv", b"id,title\n1,caf\xe9\n", "not UTF-8"),
        ("f.json", b"\xff\xfe[\x00", "not UTF-8"),
        ("f.jsonl", b'{"a": "\xe9"}', "not UTF-8"),
    ],
)
def test_an_unreadable_file_says_why(write: Write, name: str, content: str | bytes, reason: str) -> None:
    with pytest.raises(FileUnreadable, match=reason):
        list(read_records(write(name, content)))


def test_a_missing_file_or_a_folder_is_unreadable(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(FileUnreadable, match=str(path)):
            list(read_records(path))


def test_a_line_without_end_is_not_read_into_memory(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MAX_ITEM", 1000)
    with pytest.raises(FileUnreadable, match="more than 1000 characters"):
        list(read_records(write("f.jsonl", '{"a": "' + "x" * 5000)))
    with pytest.raises(FileUnreadable, match="line 1"):
        list(read_records(write("f.json", '[{"a": "' + "x" * 200_000)))
