"""Parsing slow operations from a mongod's log, without values."""

import json
from typing import Any

import pytest

from app.db.cluster.slow_operations import MOST, parse, worst


def line(milliseconds: int = 150, collection: str = "movie_library.movies", **attributes: Any) -> str:
    command = {"find": "movies", "filter": {"title": "secret"}, "lsid": {"id": "secret"}}
    entry = {"type": "command", "ns": collection, "command": command, "durationMillis": milliseconds, **attributes}
    return json.dumps({"t": {"$date": "2026-11-22T16:02:10.874+00:00"}, "msg": "Slow query", "attr": entry})


def test_a_query_keeps_its_fields_and_loses_its_values() -> None:
    pipeline = [{"$match": {"username": {"$in": ["secret", "secret"]}}}, {"$sort": {"at": -1}}]
    lines = [line(), line(command={"aggregate": "users", "pipeline": pipeline}, planSummary="IXSCAN { username: 1 }")]
    find, aggregate = parse(lines, "mongo-1:27018", "movie_library")
    assert (find.operation, find.shape) == ("find", '{"filter": {"title": "?"}}')
    assert "secret" not in repr([find, aggregate])
    assert aggregate.shape == '{"pipeline": [{"$match": {"username": {"$in": ["?"]}}}, {"$sort": {"at": "?"}}]}'
    assert (aggregate.plan, aggregate.member, aggregate.at.year) == ("IXSCAN { username: 1 }", "mongo-1:27018", 2026)


def test_a_further_batch_counts_as_the_query_that_it_belongs_to() -> None:
    (found,) = parse(
        [line(command={"getMore": 1}, originatingCommand={"find": "movies", "filter": {"a": 1}})], "m", "movie_library"
    )
    assert (found.operation, found.shape) == ("find", '{"filter": {"a": "?"}}')


@pytest.mark.parametrize(
    ("attributes", "operation"),
    [
        ({"type": "update"}, "update"),
        ({"type": "command", "command": {}}, "internal"),
        ({"type": "none", "command": {}}, "internal"),  # the server's own work, such as moving chunks
        ({"type": "none", "command": {"delete": "credits"}}, "delete"),
    ],
)
def test_an_operation_has_a_name(attributes: dict[str, Any], operation: str) -> None:
    (found,) = parse([line(**attributes)], "m", "movie_library")
    assert found.operation == operation


@pytest.mark.parametrize(
    "other",
    [
        "",
        "not JSON",
        '{"msg": "Slow query", "attr": {"ns": "movie_library.movies", "dur',
        '{"msg": "Slow query"}',
        '{"msg": "Slow query", "attr": []}',
        '["Slow query"]',
        json.dumps({"msg": "Connection accepted"}),
        line(collection="config.chunks"),
        line(collection="movie_library.$cmd"),
        line(collection="movie_library_2.movies"),
        line(durationMillis="long"),
        line(command="none"),
    ],
)
def test_other_lines_are_passed_over(other: str) -> None:
    assert parse([other], "m", "movie_library") == []


def test_the_worst_of_each_kind_comes_first_and_the_rest_are_counted() -> None:
    many = [line(100 + n, command={"find": "movies", "filter": {f"field{n}": 1}}) for n in range(MOST + 5)]
    found = worst(parse([*many, line(300), line(900), line(200)], "m", "movie_library"))
    assert len(found) == MOST
    assert (found[0].milliseconds, found[0].times, found[1].times) == (900, 3, 1)
    assert [operation.milliseconds for operation in found] == sorted((o.milliseconds for o in found), reverse=True)
