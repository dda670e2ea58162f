"""Which passwords are taken, and how they are kept."""

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from app.db.passwords import check_password, hash_password, needs_rehash, password_problem


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("correct horse", None),
        ("x1y2z3w4", None),
        ("ü" * 3 + "abcde", None),
        ("abc" * 42, None),
        ("short12", "Use at least 8 characters."),
        ("abc" * 43, "Use at most 128 characters."),
        ("PassWord1", "This password is among the first that anyone would try."),
        ("abababab", "This password is among the first that anyone would try."),
        ("i am Ada_L!", "A password must not contain the user name."),
        (None, "A password is text."),
        ({"$ne": ""}, "A password is text."),
    ],
)
def test_password_policy(password: str, problem: str | None) -> None:
    assert password_problem(password, "ada_l") == problem


def test_hashes_are_argon2id_with_owasps_parameters_and_a_salt_each() -> None:
    first, second = hash_password("correct horse"), hash_password("correct horse")
    assert first != second
    parameters = extract_parameters(first)
    assert (parameters.type, parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (
        Type.ID,
        19_456,
        2,
        1,
    )
    assert check_password(first, "correct horse")
    assert not check_password(first, "Correct horse")
    assert not needs_rehash(first)


def test_a_damaged_hash_fits_no_password() -> None:
    assert not check_password("", "x")
    assert not check_password("$argon2id$v=19$m=19456", "x")
