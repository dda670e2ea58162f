"""Which passwords are accepted, and how they are hashed."""

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from app.db.accounts import check_password, hash_password, password_problem
from app.db.accounts.passwords import needs_rehash


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("correct horse", None),
        ("ünder dem Blumenbeet", None),
        ("correct horse battery staple " * 4, None),  # judged by its beginning
        ("password" * 4 + "xK9#mQ2$vL7!", "Repeats"),  # and by no more of it than can be judged in no time
        ("short12", "at least 8 characters"),
        ("abc" * 43, "at most 128 characters"),
        ("PassWord1", "very common password"),
        ("P@ssw0rd", "similar to a commonly used password"),
        ("drowssap1", "Reversed words"),
        ("film library", "soon guessed"),
        ("22.11.1984", "Dates"),
        ("qwertzuiop", "very common password"),
        ("abababab", "Repeats"),
        ("a" * 128, "Repeats"),
        ("密码密码密码密码", "Repeats"),
        ("\0" * 8, "Repeats"),
        ("i am Ada_L!", "must not contain the user name"),
        (None, "A password is text."),
        ({"$ne": ""}, "A password is text."),
    ],
)
def test_password_policy(password: str, problem: str | None) -> None:
    said = password_problem(password, "ada_l")
    assert said is None if problem is None else problem in (said or "")


def test_the_own_name_written_otherwise_is_soon_guessed() -> None:
    assert password_problem("xorbelbeeb", "ada") is None
    assert "Reversed" in (password_problem("xorbelbeeb", "beeblebrox") or "")


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
