"""Valid settings, and how invalid ones are refused."""

from __future__ import annotations

import pytest

from ops.settings import Settings, SettingsError

REFUSALS = [
    ({"ENV": "prod"}, "ENV=prod: must be one of local, ", "aws"),
    ({"TOPOLOGY": "star"}, "TOPOLOGY=star: must be one of compact, dedicated", ""),
    ({"SOURCE": "cdrom"}, "SOURCE=cdrom: must be one of auto, official, offline", ""),
    ({"SHARDS": "0"}, "SHARDS=0: must be one of 1, 2, 3, 4, 5, 6, 7, 8, 9", ""),
    ({"SHARDS": "10"}, "SHARDS=10: must be one of 1, ", ""),
    ({"SHARDS": "two"}, "SHARDS=two: must be one of 1, ", ""),
    ({"MEMBERS": "2"}, "MEMBERS=2: must be one of 3, 5, 7", ""),
    ({"MEMBERS": "1"}, "MEMBERS=1: must be one of 3, 5, 7", ""),
    ({"MEMBERS": "4"}, "MEMBERS=4: must be one of 3, 5, 7", ""),
    ({"MEMBERS": "-3"}, "MEMBERS=-3: must be one of 3, 5, 7", ""),
    ({"MONGODB_VERSION": "4.4"}, "MONGODB_VERSION=4.4: must be one of 6.0, 7.0, 8.0", ""),
    ({"MONGODB_VERSION": "6.0", "SOURCE": "official"}, "MONGODB_VERSION=6.0: must be one of 7.0, 8.0", "official"),
    ({"MONGODB_VERSION": "8.0", "SOURCE": "offline"}, "MONGODB_VERSION=8.0: must be 6.0", "offline"),
    ({"SUBNET": "8.8.8.0/24"}, "SUBNET=8.8.8.0/24: must be a private IPv4 /24", ""),
    ({"SUBNET": "10.0.0.0/8"}, "SUBNET=10.0.0.0/8: must be a private IPv4 /24", ""),
    ({"SUBNET": "10.0.0.1/24"}, "SUBNET=10.0.0.1/24: must be a private IPv4 /24", ""),
    ({"FILM_LIBRARY_HOST": "films"}, "FILM_LIBRARY_HOST=films: must be a host name", ""),
    ({"FILM_LIBRARY_HOST": "10.0.0.1"}, "FILM_LIBRARY_HOST=10.0.0.1: must be a host name", ""),
    ({"FILM_LIBRARY_ADMIN_HOST": "a.b;c"}, "FILM_LIBRARY_ADMIN_HOST=a.b;c: must be a host name", ""),
    (
        {"FILM_LIBRARY_HOST": "a.example", "FILM_LIBRARY_ADMIN_HOST": "A.example"},
        "FILM_LIBRARY_ADMIN_HOST=a.example: must be another name than FILM_LIBRARY_HOST",
        "",
    ),
    ({"SUBNET": "home"}, "SUBNET=home: must be a private IPv4 /24", ""),
]


@pytest.mark.parametrize(("variables", "start", "also"), REFUSALS)
def test_a_wrong_value_is_refused_with_the_allowed_ones(variables: dict[str, str], start: str, also: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.read(variables)
    (problem,) = refused.value.problems
    assert problem.startswith(start)
    assert also in problem


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.read({"ENV": "x", "TOPOLOGY": "x", "SHARDS": "x", "MEMBERS": "x", "SOURCE": "x"})
    names = [problem.split("=")[0] for problem in refused.value.problems]
    assert names == ["ENV", "TOPOLOGY", "SHARDS", "MEMBERS", "SOURCE"]


def test_defaults_and_empty_variables_are_the_same() -> None:
    assert Settings.read({}) == Settings.read(dict.fromkeys(["ENV", "TOPOLOGY", "SHARDS", "MONGODB_VERSION"], ""))


def test_each_environment_has_its_own_subnet() -> None:
    subnets = {env: Settings.read({"ENV": env}).subnet for env in ("local", "molecule", "test")}
    assert len(set(subnets.values())) == len(subnets)
    assert str(subnets["local"]) == "10.89.70.0/24"


def test_a_single_member_is_for_tests_only() -> None:
    assert Settings.read({"MEMBERS": "1"}, allow_single_member=True).members == 1
