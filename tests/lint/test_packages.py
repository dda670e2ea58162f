"""Rules for the packages of `app.db`: each has a docstring and a size limit, and nobody outside imports past it.

import-linter (pyproject.toml) checks in which direction they import, but can't tell a module that a package exports
from an internal one. Tests may import internal modules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from ops.paths import ROOT

DB = ROOT / "app/db"
PACKAGES = sorted(path.parent.name for path in DB.glob("*/__init__.py"))
MOST_MODULES = 12
USERS = sorted(path for folder in ("app", "bench") for path in (ROOT / folder).rglob("*.py"))


def imports(file: Path) -> Iterator[tuple[str, list[str]]]:
    """The modules that a file imports from, and the names; none when it imports the module itself."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module or "", [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)


def past_a_package(module: str, names: list[str]) -> bool:
    """Whether this takes something from a package of `app.db` that the package doesn't export."""
    package, _, inside = module.removeprefix("app.db.").partition(".")
    if not module.startswith("app.db.") or package not in PACKAGES:
        return False
    exported = import_module(f"app.db.{package}").__all__
    return bool(inside) or not names or not set(names) <= set(exported)


def test_every_module_belongs_to_a_package() -> None:
    assert {path.name for path in DB.glob("*.py")} == {"__init__.py", "operations.py"}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_belongs_in_it_and_is_small(package: str) -> None:
    assert import_module(f"app.db.{package}").__doc__
    assert len([path for path in (DB / package).glob("*.py") if path.name != "__init__.py"]) <= MOST_MODULES


def test_one_module_reads_private_attributes_of_mongoengine() -> None:
    """`app.db.core.declaration` is what everything else asks."""
    private = re.compile(r"\._(meta|fields|fields_ordered|db_field_map|get_collection|get_changed_fields)\b")
    assert [file for file in USERS if private.search(file.read_text())] == [DB / "core/models.py"]


def test_nobody_imports_past_a_package() -> None:
    past = []
    for file in USERS:
        home = f"app.db.{file.relative_to(DB).parts[0]}" if file.parent != DB and file.is_relative_to(DB) else None
        for module, names in imports(file):
            at_home = home is not None and f"{module}.".startswith(f"{home}.")
            if not at_home and past_a_package(module, names):
                past.append(f"{file.relative_to(ROOT)}: {module} {', '.join(names)}")
    assert past == []
