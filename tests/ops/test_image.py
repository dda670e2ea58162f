"""The hosts' image is built from the machine's own repositories, through its proxies."""

from __future__ import annotations

import pytest

from ops import image, system
from ops.system import System

SOURCES = ["deb [signed-by=/k.gpg] http://deb.example.org/debian/ trixie main"]
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


def test_another_release_comes_from_the_same_repositories() -> None:
    own = system.own()
    here, there = (image._apt_sources(System(own.distribution, suite)) for suite in (own.suite, "duke"))
    assert len(here) == len(there) > 0
    assert own.suite not in "".join(there)
    assert [line.split()[2] for line in here] == [line.split()[2] for line in there]


@pytest.mark.parametrize("upper", [False, True])
def test_apt_is_given_the_environments_proxies(monkeypatch: pytest.MonkeyPatch, upper: bool) -> None:
    assert image._proxies(SOURCES) == []
    for name, value in {"http_proxy": "http://127.0.0.1:3128", "https_proxy": "http://proxy.example:8080"}.items():
        monkeypatch.setenv(name.upper() if upper else name, value)
    both = ['Acquire::http::Proxy "http://127.0.0.1:3128"', 'Acquire::https::Proxy "http://proxy.example:8080"']
    assert image._proxies(SOURCES) == both
    monkeypatch.setenv("NO_PROXY" if upper else "no_proxy", "localhost,.example.org")
    assert image._proxies(SOURCES) == [*both, 'Acquire::http::Proxy::deb.example.org "DIRECT"']
