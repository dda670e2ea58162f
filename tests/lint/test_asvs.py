"""docs/asvs.md has every requirement once, with an outcome, and names files and tests that exist."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from ops.paths import ROOT

#: The numbers of ASVS 5.0.0's requirements by level and chapter: section and requirement, `-` for ranges. Source:
#: github.com/OWASP/ASVS, 5.0/docs_en/OWASP_Application_Security_Verification_Standard_5.0.0_en.csv.
LEVELS: dict[int, dict[str, str]] = {
    1: {
        "V1": "2.1-5 3.1-2 5.1",
        "V2": "1.1 2.1-2 3.1",
        "V3": "2.1-2 3.1 4.1-2 5.1-3",
        "V4": "1.1 4.1",
        "V5": "2.1-2 3.1-2",
        "V6": "1.1 2.1-8 3.1-2 4.1-2",
        "V7": "2.1-4 4.1-2",
        "V8": "1.1 2.1-2 3.1",
        "V9": "1.1-3 2.1",
        "V10": "4.1-5",
        "V11": "3.1-2 4.1",
        "V12": "1.1 2.1-2",
        "V13": "4.1",
        "V14": "2.1 3.1",
        "V15": "1.1 2.1 3.1",
    },
    2: {
        "V1": "1.1-2 2.6-9 3.3-11 4.1-3 5.2",
        "V2": "1.2-3 2.3 3.2-4 4.1",
        "V3": "3.2-4 4.3-6 5.4-5 7.1-2",
        "V4": "1.2-3 2.1 3.1-2 4.2-4",
        "V5": "1.1 2.3 4.1-3",
        "V6": "1.2-3 2.9-12 3.3-4 4.3-4 5.1-5 6.1-3 8.1-4",
        "V7": "1.1-3 3.1-2 4.3-5 5.1-2 6.1-2",
        "V8": "1.2 2.3 4.1",
        "V9": "2.2-4",
        "V10": "1.1-2 2.1-2 3.1-4 4.6-11 5.1-5 6.1-2 7.1-3",
        "V11": "1.1-2 2.1-3 3.3 4.2-4 5.1 6.1",
        "V12": "1.2-3 3.1-4",
        "V13": "1.1 2.1-5 3.1-2 4.2-5",
        "V14": "1.1-2 2.2-4 3.2-3",
        "V15": "1.2-3 2.2-3 3.2-7",
        "V16": "1.1 2.1-5 3.1-4 4.1-3 5.1-3",
        "V17": "1.1 2.1-4 3.1-2",
    },
}
OUTCOMES = {"met", "not met", "doesn't apply"}


class Row(NamedTuple):
    number: str
    level: str
    about: str
    outcome: str
    where: str
    proof: str


PAGE = (ROOT / "docs/asvs.md").read_text()
ROWS = [
    Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in PAGE.splitlines() if line.startswith("| V")
]
rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)


def numbers(level: int) -> set[str]:
    """V1.2.1 and so on."""
    found = set()
    for chapter, text in LEVELS[level].items():
        for section, first, last in re.findall(r"(\d+)\.(\d+)(?:-(\d+))?", text):
            found |= {f"{chapter}.{section}.{number}" for number in range(int(first), int(last or first) + 1)}
    return found


def code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@cache
def functions_of(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


def test_no_number_is_missing_from_the_levels() -> None:
    """That file has 70 requirements of level 1 and 183 of level 2."""
    assert [len(numbers(level)) for level in LEVELS] == [70, 183]


@pytest.mark.parametrize("level", LEVELS)
def test_every_requirement_is_there(level: int) -> None:
    assert {row.number for row in ROWS if row.level == str(level)} == numbers(level)


def test_no_requirement_is_there_twice() -> None:
    assert [number for number, count in Counter(row.number for row in ROWS).items() if count > 1] == []


def test_the_outcomes_are_counted() -> None:
    counts = Counter(row.outcome for row in ROWS)
    met, not_met, other = counts["met"], counts["not met"], counts["doesn't apply"]
    assert f"{met} are met, {not_met} aren't, {other} don't apply." in PAGE


@rows
def test_a_row_is_complete(row: Row) -> None:
    assert row.outcome in OUTCOMES
    assert row.about
    assert row.where, "where it is met, or why not"
    assert bool(row.proof) == (row.outcome == "met"), "what is met has a test, and nothing else"


@rows
def test_what_a_row_names_exists(row: Row) -> None:
    for name in code(row.where):
        if re.fullmatch(r"[\w./-]+\.(py|yml|j2|tf|txt|toml)|tests/[\w./-]+", name):
            assert (ROOT / name).is_file(), name
    for name in code(row.proof):
        file, _, test = name.partition("::")
        assert re.fullmatch(r"tests/[\w/]*test_\w+\.py", file), name
        assert (ROOT / file).is_file(), name
        assert re.fullmatch(r"test_\w+", test), name
        assert test in functions_of(ROOT / file), name
