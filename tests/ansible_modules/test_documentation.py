"""`ansible-doc` prints all of this project's modules and filters, and the options match the code."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import ansible.module_utils
import pytest
import yaml

from ops.paths import ANSIBLE

MODULES = sorted(file.stem for file in (ANSIBLE / "plugins/modules").glob("*.py"))
FILTERS = sorted(file.stem for file in (ANSIBLE / "plugins/filter").glob("*.py"))
modules = pytest.mark.parametrize("name", MODULES)
everything = pytest.mark.parametrize(
    ("kind", "name"), [("module", name) for name in MODULES] + [("filter", name) for name in FILTERS]
)


@cache
def printed(kind: str) -> dict[str, Any]:
    """`ansible-doc`'s output for all modules or filters, by name."""
    command = [Path(sys.executable).with_name("ansible-doc"), "--type", kind, "--json"]
    command += MODULES if kind == "module" else FILTERS
    environment = os.environ | {"ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg")}
    run = subprocess.run(command, cwd=ANSIBLE, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


def argument_spec(module: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """The argument_spec that the module passes to AnsibleModule."""

    class Captured(Exception):
        pass

    def capture(argument_spec: dict[str, Any], **_: Any) -> None:
        raise Captured(argument_spec)

    monkeypatch.setattr(
        ansible.module_utils, "__path__", [*ansible.module_utils.__path__, str(ANSIBLE / "plugins/module_utils")]
    )
    spec = importlib.util.spec_from_file_location(module, ANSIBLE / f"plugins/modules/{module}.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, module, loaded)
    spec.loader.exec_module(loaded)
    monkeypatch.setattr(loaded, "AnsibleModule", capture)
    with pytest.raises(Captured) as captured:
        loaded.main()
    return dict(captured.value.args[0])


@everything
def test_everything_is_described(kind: str, name: str) -> None:
    entry = printed(kind)[name]
    documentation = entry["doc"]
    assert documentation["short_description"]
    assert documentation["description"]
    assert documentation["options"]
    described = {**documentation["options"], **entry["return"]}
    assert [item for item, it in described.items() if not (it.get("description") and it.get("type"))] == []
    assert kind == "filter" or all(value.get("returned") for value in entry["return"].values())
    assert kind == "filter" or {"check_mode", "diff_mode"} <= set(documentation["attributes"])


@everything
def test_examples_are_tasks_that_use_it(kind: str, name: str) -> None:
    tasks = yaml.safe_load(printed(kind)[name]["examples"])
    assert all(name in (task if kind == "module" else json.dumps(task)) for task in tasks)


@modules
def test_options_are_those_of_the_module(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = printed("module")[name]["doc"]["options"]
    spec = argument_spec(name, monkeypatch)
    kept = ("type", "default", "required", "elements", "choices")
    assert {option: {key: it[key] for key in kept if it.get(key)} for option, it in options.items()} == {
        option: {key: it[key] for key in kept if it.get(key)} for option, it in spec.items()
    }
