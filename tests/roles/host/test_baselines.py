"""The controls of dev-sec's baselines hold on every host; baselines.yml has those that don't, with the reasons."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from pathlib import Path

import yaml

from tests.deployed import Deployment, Inventory

BASELINES = yaml.safe_load(Path(__file__).with_name("baselines.yml").read_text())


def test_sshd(deployment: Deployment, machine: str) -> None:
    effective = defaultdict(str)
    for line in deployment.host(machine).check_output("sshd -T").splitlines():
        name, _, value = line.partition(" ")
        effective[name] = value
    wrong = {
        control: {name: effective[name] for name in wanted}
        for control, wanted in BASELINES["ssh"].items()
        if not all(re.fullmatch(value, effective[name]) for name, value in wanted.items())
    }
    assert wrong == {}


def test_kernel_parameters(deployment: Deployment, machine: str) -> None:
    """What is written for the boot counts, because a local host may not set everything; else what is set now."""
    host = deployment.host(machine)
    lines = host.file("/etc/sysctl.d/90-mongodb.conf").content_string.splitlines()
    written = dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in lines if "=" in line)
    now = host.run("sysctl --all --ignore").stdout.splitlines()
    values = dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in now if "=" in line) | written
    wrong = {
        control: {name: values.get(name) for name in wanted}
        for control, wanted in BASELINES["sysctl"].items()
        if any(values.get(name) != str(value) for name, value in wanted.items())
    }
    assert wrong == {}


def test_nginx(deployment: Deployment, web: str) -> None:
    lines = [line.strip() for line in deployment.host(web).check_output("nginx -T 2>/dev/null").splitlines()]
    wrong = [
        control
        for control, wanted in BASELINES["nginx"].items()
        if not any(re.fullmatch(wanted, line) for line in lines)
    ]
    assert wrong == []


def test_commands_find_nothing(deployment: Deployment, inventory: Inventory, machine: str) -> None:
    host, wrong = deployment.host(machine), {}
    for control, command in BASELINES["commands"].items():
        if machine in inventory.group("web") or not control.startswith("nginx"):
            # Parentheses are find's; a pipe or quotes are for the shell.
            line = command if set("|\"'") & set(command) else shlex.join(command.split())
            wrong[control] = host.run(line).stdout
    assert {control: found for control, found in wrong.items() if found} == {}
