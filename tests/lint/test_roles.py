"""Rules of this repository that no linter knows: what every role must have, and what must not be in the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.paths import ANSIBLE, ROOT
from tests import repository

ROLES = sorted(path for path in (ANSIBLE / "roles").iterdir() if path.is_dir())
roles = pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)


def load(file: Path) -> dict[str, Any]:
    """A YAML file's mapping, empty when there is no such file."""
    return (yaml.safe_load(file.read_text()) or {}) if file.exists() else {}


def task_files(role: Path) -> list[Path]:
    return sorted((role / "tasks").glob("*.yml"))


@roles
def test_defaults_and_argument_specs_list_the_same_variables(role: Path) -> None:
    specified = load(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert set(specified) == set(load(role / "defaults/main.yml"))


@roles
def test_every_argument_is_typed_and_described(role: Path) -> None:
    for entry in load(role / "meta/argument_specs.yml")["argument_specs"].values():
        for name, option in entry["options"].items():
            assert option.get("type"), name
            assert str(option.get("description", "")).strip(), name


@roles
def test_variables_carry_the_roles_name(role: Path) -> None:
    defaults = [name for name in load(role / "defaults/main.yml") if not name.startswith(f"{role.name}_")]
    private = [name for name in load(role / "vars/main.yml") if not name.startswith(f"_{role.name}_")]
    assert (defaults, private) == ([], [])


@roles
def test_every_default_is_used(role: Path) -> None:
    files = [file for file in role.rglob("*") if file.is_file() and file.parent.name not in {"defaults", "meta"}]
    text = "\n".join(file.read_text() for file in files)
    # A default may be there for another default alone.
    text += "\n".join(str(value) for value in load(role / "defaults/main.yml").values())
    assert [name for name in load(role / "defaults/main.yml") if not re.search(rf"\b{name}\b", text)] == []


@roles
def test_main_is_a_table_of_contents_that_begins_with_preflight(role: Path) -> None:
    tasks = yaml.safe_load((role / "tasks/main.yml").read_text())
    included = [task.get("ansible.builtin.include_tasks") or task.get("ansible.builtin.import_tasks") for task in tasks]
    assert None not in included
    names = [entry["file"] if isinstance(entry, dict) else entry for entry in included]
    assert names[0] == "preflight.yml"


@roles
def test_every_file_of_tasks_is_used(role: Path) -> None:
    """By the role itself, or as an entry point of its own by a playbook."""
    playbooks = [*ANSIBLE.glob("*.yml"), *ANSIBLE.glob("playbooks/*.yml"), *ANSIBLE.glob("playbooks/tasks/*.yml")]
    users = [*task_files(role), *playbooks]
    text = "\n".join(file.read_text() for file in users)
    unused = [file.name for file in task_files(role) if file.stem != "main"]
    unused = [name for name in unused if not re.search(rf"(\b{name}|tasks_from: {Path(name).stem})\b", text)]
    assert unused == []


@roles
def test_role_is_described(role: Path) -> None:
    lines = (role / "README.md").read_text().splitlines()
    assert lines[0] == f"# {role.name}"
    assert 3 <= len(lines) <= 40, "a few sentences, not a manual"


def text_files() -> list[Path]:
    """The text files of the repository."""
    found = [ROOT / name for name in repository.files()]
    return [file for file in found if file.is_file() and b"\0" not in file.read_bytes()[:4096]]


#: Lines. Nobody reads a longer file in one go.
LONGEST_FILE = 350


def test_no_source_file_is_too_long() -> None:
    sources = [file for file in text_files() if file.suffix in {".py", ".yml", ".yaml", ".j2"}]
    sources += (ROOT / "app").rglob("templates/**/*.html")
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in sources}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


# What only one machine has, or a registry's host: the repository works anywhere, by the machine's own configuration.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.])/(work|root/\.|home/\w+)/",
    "what lies beside the repository": r"\.\./shared\b",
    "a package registry's host": r"\b(py[p]i\.org|python[h]osted\.org|registry\.np[m]js|(deb|security)\.deb[i]an\.org"
    r"|archive\.ubuntu\.com|docker\.io/|quay\.io/)",
    "a default password": r"(?i)\b(passw0rd|changeme|admin/admin)\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}

# This file names them.
EXEMPT = {Path(__file__)}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_has(what: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for file in text_files()
        if file not in EXEMPT
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1)
        if re.search(FORBIDDEN[what], line)
    ]
    assert found == []


def test_molecule_has_no_inventory_of_its_own() -> None:
    """Hosts and groups are said once, by ops/topology.py."""
    for file in (ROOT / "molecule").glob("*/molecule.yml"):
        assert "inventory" not in load(file).get("provisioner", {}), file
    assert load(ROOT / ".config/molecule/config.yml")["platforms"] == []


def test_a_release_prepares_the_database_before_it_runs() -> None:
    """Its searches name indexes that the release before didn't have."""
    text = (ANSIBLE / "roles/webapps/tasks/main.yml").read_text()
    assert text.index("database.yml") < text.index("activate.yml")


def test_what_runs_out_of_a_release_is_restarted_with_a_new_one() -> None:
    units = load(ANSIBLE / "roles/webapps/vars/main.yml")["_webapps_units"]
    templates = ANSIBLE / "roles/webapps/templates"
    bound = [name for name in units if name.endswith((".service", ".timer")) and name != "nginx.service"]
    assert "_webapps_current" in (templates / "recommend.service.j2").read_text()
    assert [name for name in bound if "{{ _webapps_current }}" not in units[name]] == []
