"""Each control of the hardening baselines is in baselines.yml once, and the tests named there exist."""

from __future__ import annotations

import ast
from collections import Counter

import yaml

from ops.paths import ROOT

BASELINES = yaml.safe_load((ROOT / "tests/roles/host/baselines.yml").read_text())

#: Sources: github.com/dev-sec, controls/*_spec.rb of ssh-baseline (sshd), linux-baseline and nginx-baseline, where
#: sshd-26, package-04 and sysctl-18 don't exist and nginx-07 is there twice; CIS MongoDB 7 Benchmark 1.1.0.
CONTROLS = {
    *(f"sshd-{number:02}" for number in range(1, 49) if number != 26),
    *(f"os-{number:02}" for number in range(1, 11)),
    "os-05b",
    *(f"package-{number:02}" for number in range(1, 11) if number != 4),
    *(f"sysctl-{number:02}" for number in range(1, 35) if number not in (18, 31)),
    *("sysctl-31a", "sysctl-31b"),
    *(f"nginx-{number:02}" for number in range(1, 11)),
    "nginx-07b",
    *(
        f"cis-{chapter}.{number}"
        for chapter, last in enumerate((1, 3, 5, 5, 4, 3, 2), 1)
        for number in range(1, last + 1)
    ),
}


def test_every_control_is_there_once() -> None:
    named = Counter(control for part in BASELINES.values() for control in part)
    assert {control for control, count in named.items() if count > 1} == set()
    assert named.keys() == CONTROLS


def test_every_reason_is_a_sentence() -> None:
    short = {control for control, reason in BASELINES["otherwise"].items() if not reason.endswith(".")}
    assert short == set()


def test_the_tests_exist() -> None:
    for test in BASELINES["tested"].values():
        file, _, name = test.partition("::")
        functions = {
            node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)
        }
        assert name in functions, test
