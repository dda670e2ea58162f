"""Reading records from files of every format, with line numbers and errors."""

import gzip
import io
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db.records import BATCH, Malformed
from app.db.transfer import FileUnreadable, readers, streams
from app.db.transfer.readers import Reader


def records(name: str, content: str | bytes) -> list[tuple[int, Any]]:
    """Line and content of each record; only the reason of what is malformed."""
    stream = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    return [(line, item.reason if isinstance(item, Malformed) else item) for line, item in Reader(stream, name)]


def test_json_lines_have_their_line_numbers_and_bad_lines_are_passed_over() -> None:
    found = records("films.jsonl", '{"a": 1}\n\n{"a": \n[1]\r\n{"a": 2} {"a": 3}\n{"a": 4}')
    assert found == [
        (1, {"a": 1}),
        (3, "is not JSON: Expecting value at character 6"),
        (4, "is not a JSON object"),
        (5, "is not JSON: something follows the object at character 9"),
        (6, {"a": 4}),
    ]


def test_a_json_array_has_the_line_that_each_item_begins_in() -> None:
    found = records("films.json", ' [\n {"a":\n  1},\n\n {"a": 2}, 512\n]\n')
    assert found == [(2, {"a": 1}), (5, {"a": 2}), (5, "is not a JSON object")]


@pytest.mark.parametrize("name", ["films.json", "films.jsonl", "films.csv", "films.txt"])
@pytest.mark.parametrize("content", ["", "\ufeff", " \n\n", gzip.compress(b"", mtime=0)])
def test_files_without_records(name: str, content: str | bytes) -> None:
    assert records(name, content) == []


@pytest.mark.parametrize("content", ["[]", " [ ] ", "\ufeff[\n]"])
def test_an_empty_array(content: str) -> None:
    assert records("films.json", content) == []


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('[{"a": 1}', 1),
        ('[{"a": 1}\n{"a": 2}]', 2),
        ('[\n{"a": }]', 2),
        ('[\n{"a":\n\n}]', 4),
        ("[\n\n", 3),
        ("[" * 100_000, 1),
        ('[\n{"a": ' + "[" * 10_000, 2),
        ('[{"a": 1}]\n[{"a": 2}]', 2),
        ("[]\n\n,", 3),
    ],
)
def test_a_broken_array_ends_with_file_and_line(content: str, line: int) -> None:
    with pytest.raises(FileUnreadable, match=rf"films\.json: line {line}: "):
        records("films.json", content)


@settings(max_examples=60, deadline=None)
@given(
    items=st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=30) | st.integers(), max_size=3), max_size=6),
    indent=st.sampled_from([None, 1]),
    chunk=st.integers(1, 9),
)
def test_an_array_is_read_the_same_whatever_the_chunk_size(items: list[Any], indent: int | None, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "CHUNK", chunk)
        text = json.dumps(items, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
        assert [item for _, item in records("films.json", text)] == items


def test_what_json_has_not_is_malformed_but_a_neighbour_of_it_is_read() -> None:
    lines = ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1, "b": 2, "a": 3}', '{"a": ' + "9" * 5000 + "}", '{"a": 1}']
    found = records("films.jsonl", "\n".join(lines))
    assert [item for _, item in found[:3]] == [
        "is not JSON: NaN is no number",
        "is not JSON: -Infinity is no number",
        "has the key 'a' twice",
    ]
    assert found[3][1].startswith("is not JSON: Exceeds the limit")
    assert found[4] == (5, {"a": 1})
    array = records("films.json", f"[{','.join([*lines[:3], lines[4]])}]")
    assert [item for _, item in array] == [item for _, item in (*found[:3], found[4])]


@pytest.mark.parametrize("depth", [25, 900, 10_000, 400_000])
def test_deep_nesting_is_malformed(depth: int) -> None:
    deep = '{"a": ' + "[" * depth + "]" * depth + "}"
    assert records("films.jsonl", f'{deep}\n{{"a": 1}}') == [(1, "is nested too deeply"), (2, {"a": 1})]


def test_csv_cells_may_hold_commas_quotes_and_line_ends() -> None:
    text = '\ufeffid,title,genres\r\na,"One, ""two""\nthree","[\'x\', \'y\']"\r\n\r\nb,Four,\r\n'
    assert records("f.csv", text) == [
        (2, {"id": "a", "title": 'One, "two"\nthree', "genres": "['x', 'y']"}),
        (5, {"id": "b", "title": "Four", "genres": ""}),
    ]


def test_csv_rows_of_another_length_or_with_stray_quotes_are_malformed() -> None:
    assert records("f.csv", 'id,title\na\nb,Two,more\nc,"Th"ree\nd,Four\ne,"open\n') == [
        (2, "has fewer cells than the heading"),
        (3, "has more cells than the heading"),
        (4, "is not CSV: ',' expected after '\"'"),
        (5, {"id": "d", "title": "Four"}),
        (6, "is not CSV: unexpected end of data"),
    ]


def test_malformed_records_keep_their_text() -> None:
    items = [item for _, item in Reader(io.BytesIO(b'id,title\na,"x\ny",1\nb,\xe9\n'), "f.csv")]
    assert items == [
        Malformed('a,"x\ny",1\n', "has more cells than the heading"),
        Malformed("b,\udce9\n", "is not UTF-8: the byte 0xe9 after 'b,'"),
    ]


def test_a_heading_marks_our_own_files_whose_formulas_were_escaped() -> None:
    assert records("f.csv", "_id,title\na,'=1\nb,''=1\nc,'71\n") == [
        (2, {"_id": "a", "title": "=1"}),
        (3, {"_id": "b", "title": "'=1"}),
        (4, {"_id": "c", "title": "'71"}),
    ]
    assert records("f.csv", "id,title\na,'=1\n") == [(2, {"id": "a", "title": "'=1"})]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("f.csv", b"id,title\n1,caf\xe9\n2,b\n"),
        ("f.jsonl", b'\n{"a": "\xe9"}\n{}'),
        ("f.json", b'[\n{"a": "\xe9"},{}]'),
    ],
)
def test_a_byte_that_is_not_utf8_spoils_its_record_only(name: str, content: bytes) -> None:
    (line, reason), (_, good) = records(name, content)
    assert line == 2
    assert reason.startswith("is not UTF-8: the byte 0xe9 after ")
    assert good in ({}, {"id": "2", "title": "b"})


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("f.csv", "\n" + ",".join(map(str, range(501))), "line 2: the heading has more than 500 columns"),
        ("f.csv", "id,id\n1,2\n", "line 1: two columns have one name"),
        ("f.csv", "id,title,title \n1,2,3\n", "line 1: two columns have one name"),
        ("f.csv", b"id,\xe9\n", "line 1: the heading is not UTF-8"),
        ("f.csv", "id;title\na;A, or B\n", "line 1: the heading has semicolons, and no comma, between its columns"),
        ("f.csv", '\n"id"\t"title"\n', "line 2: the heading has tabs, and no comma, between its columns"),
        ("f.json", '[{"a": "é"}]'.encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("f.csv", "id,title\n1,a\n".encode("utf-16-le"), "is not text"),
        ("f.csv", b"PK\x03\x04\x14\x00", "is a zip archive; unpack it first"),
        ("f.csv.gz", gzip.compress(gzip.compress(b"id,title\n" * 9, mtime=0), mtime=0), "is packed twice"),
        ("f.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 9999, mtime=0)[:-20], "the packed data breaks off"),
        ("f.jsonl.gz", gzip.compress(b"{}\n", mtime=0)[:12] + b"\xff" * 50, "f.jsonl.gz: "),
    ],
)
def test_an_unreadable_file_says_why(name: str, content: str | bytes, reason: str) -> None:
    with pytest.raises(FileUnreadable, match=reason):
        records(name, content)


@pytest.mark.parametrize("name", ["f.jsonl", "f.json", "f.csv"])
def test_packed_files_are_known_by_their_content(name: str) -> None:
    content = {"f.jsonl": '{"a": "é"}\n', "f.json": '[{"a": "é"}]', "f.csv": "a\né\n"}[name].encode()
    packed = gzip.compress(content)
    expected = [item for _, item in records(name, content)]
    assert expected == [{"a": "é"}]
    for packed_name in (f"{name}.gz", name):
        assert [item for _, item in records(packed_name, packed)] == expected


def test_a_name_that_says_nothing_leaves_it_to_the_content() -> None:
    assert records("upload", '{"a": 1}') == records("upload", '[{"a": 1}]') == [(1, {"a": 1})]
    assert records("upload", "a,b\n1,2") == [(2, {"a": "1", "b": "2"})]


def test_a_bomb_is_refused_before_it_has_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "FREE_EXPANSION", 1 << 20)
    for content in (b"\n" * (8 << 20), b'{"a": 1}\n' * (1 << 20)):
        stream = io.BytesIO(gzip.compress(content))
        reader = Reader(stream, "f.jsonl.gz")
        with pytest.raises(FileUnreadable, match="unpacks to more than 200 times its size"):
            list(reader)
        assert reader.position <= len(stream.getvalue())
    assert (
        len(records("f.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 50_000))) == 50_000
    )  # small: may be as dense as it is


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("f.jsonl", '{"a": "' + "x" * 5000),
        ("f.jsonl", " " * 5000),
        ("f.json", '[{"a": "' + "x" * 200_000),
        ("f.csv", "a\n" + "x" * 5000),
        ("f.csv", "a\n" + '"x\n' + "x\n" * 5000),
        ("f.csv", "a," * 5000),
    ],
)
def test_a_record_without_end_is_not_read_into_memory(monkeypatch: pytest.MonkeyPatch, name: str, content: str) -> None:
    monkeypatch.setattr(readers, "MAX_ITEM", 1000)
    monkeypatch.setattr(readers, "CHUNK", 500)
    with pytest.raises(FileUnreadable, match=r"1,000 characters|line 1: Unterminated string"):
        records(name, content)


def test_batches_are_bounded_by_number_and_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    def sizes(content: bytes, skip: int = 0) -> list[int]:
        return [len(batch.documents) for batch in Reader(io.BytesIO(content), "f.jsonl").batches(skip)]

    assert sizes(b"{}\n" * (BATCH + 5)) == [BATCH, 5]
    assert sizes(b"{}\n" * (BATCH + 5), skip=BATCH) == [5]
    monkeypatch.setattr(readers, "MAX_BATCH", 100)
    assert sizes(b'{"a": "0123456789"}\n' * 13) == [6, 6, 1]


def test_what_could_be_read_comes_before_the_error() -> None:
    batches = Reader(io.BytesIO(b'[{"a": 1},\n{"a": '), "f.json").batches()
    assert next(batches).documents == [(1, {"a": 1})]
    with pytest.raises(FileUnreadable, match="line 2"):
        next(batches)


def test_what_was_packed_comes_before_the_error_that_something_else_follows() -> None:
    content = gzip.compress(b'{"a": 1}\n') + gzip.compress(b'{"a": 2}\n{"a": 3}\n')
    batches = Reader(io.BytesIO(content + b"garbage"), "f.jsonl.gz").batches()
    assert [item for _, item in next(batches).documents] == [{"a": 1}, {"a": 2}, {"a": 3}]
    with pytest.raises(FileUnreadable, match="something that isn't gzip follows at the end of the packed data"):
        next(batches)
    assert records("f.jsonl.gz", content + b"\0" * 99) == [(1, {"a": 1}), (2, {"a": 2}), (3, {"a": 3})]  # padding


def test_the_position_is_that_in_the_packed_file() -> None:
    numbers = Random(1)  # which packs badly: gzip reads 128 KiB at a time, and some more ahead
    packed = gzip.compress(b"".join(json.dumps({"a": numbers.random()}).encode() + b"\n" for _ in range(60_000)))
    positions = [batch.position for batch in Reader(io.BytesIO(packed), "f.jsonl.gz").batches()]
    assert positions == sorted(positions)
    assert 0 < positions[0] < positions[-1] == len(packed)
