#!/usr/bin/python
"""Ansible module: the wheels that a host's Python needs, gathered on the controller. See DOCUMENTATION."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

DOCUMENTATION = r"""
module: wheelhouse
short_description: Build a wheelhouse from a lock file with hashes
description:
  - Makes I(path) hold the wheels that I(requirements) locks, for one version of Python and one architecture, and
    optionally a wheel of this project, so that hosts install with C(pip --no-index) and need no package index.
  - Runs on the controller (C(delegate_to: localhost), C(throttle: 1)), in the interpreter that runs Ansible.
  - Nothing is remembered between runs. A locked wheel is there when a file of that name and version has one of the
    lock's hashes; the project's wheel is built every time (reproducible, half a second) and compared.
options:
  path: {description: "Directory of the wheels, not shared with other Pythons", type: path, required: true}
  requirements: {description: "Lock file; every requirement is pinned and has hashes", type: path, required: true}
  python_version: {description: "Version of the host's Python, such as C(3.12)", type: str, required: true}
  architecture: {description: "The host's architecture, such as C(x86_64)", type: str, default: x86_64}
  only: {description: Restrict the lock to these distributions, type: list, elements: str, default: []}
  project: {description: Directory of a hatchling project whose wheel is added, type: path}
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Build the wheelhouse on the controller
  wheelhouse:
    path: build/wheelhouse/3.12
    requirements: requirements/app.txt
    python_version: "3.12"
    project: .
  delegate_to: localhost
  throttle: 1
"""

RETURN = r"""
wheels:
  description: Names of the wheelhouse's files in I(path); in check mode those that are there already.
  type: list
  returned: always
project_wheel:
  description: Name of the project's wheel.
  type: str
  returned: when I(project) is given
digest:
  description: SHA-256 of what an installation would consist of, known in check mode too.
  type: str
  returned: always
"""

# A wheel for manylinux_2_N runs on glibc 2.N or newer. Ubuntu 22.04, the oldest supported host, has 2.35.
GLIBC_MINORS = range(5, 36)


@dataclass(frozen=True)
class Target:
    """The Python that will install from the wheelhouse."""

    python_version: str
    architecture: str

    @property
    def platforms(self) -> list[str]:
        """Platform tags that the host accepts, newest first; the legacy alias last."""
        tags = [f"manylinux_2_{minor}_{self.architecture}" for minor in reversed(GLIBC_MINORS)]
        return [*tags, f"manylinux2014_{self.architecture}"]

    @property
    def tags(self) -> frozenset[Tag]:
        version = tuple(int(part) for part in self.python_version.split("."))
        return frozenset(
            [
                *cpython_tags(version, platforms=self.platforms),
                *compatible_tags(version, interpreter="cp" + "".join(map(str, version)), platforms=self.platforms),
            ]
        )

    @property
    def markers(self) -> dict[str, str]:
        """The environment to evaluate markers in: pip itself would take that of the Python it runs in."""
        return {
            **default_environment(),  # type: ignore[dict-item]
            "python_version": self.python_version,
            "python_full_version": f"{self.python_version}.0",
            "platform_machine": self.architecture,
            "sys_platform": "linux",
            "platform_system": "Linux",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }


@dataclass(frozen=True)
class Locked:
    """One requirement of the lock: a distribution, its only version and the hashes of its files."""

    name: str
    version: str
    hashes: frozenset[str]

    @property
    def line(self) -> str:
        return " ".join([f"{self.name}=={self.version}", *(f"--hash=sha256:{value}" for value in sorted(self.hashes))])


def read_lock(text: str, target: Target, only: list[str]) -> list[Locked]:
    """The requirements of a lock file that apply to `target`, by name. Raises ValueError on one without pin or hash."""
    locked = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        declaration, *hashes = re.split(r"\s--hash=sha256:", line.partition(" #")[0].strip())
        if not declaration or declaration.startswith("#"):
            continue
        requirement = Requirement(declaration)
        if requirement.marker and not requirement.marker.evaluate(target.markers):
            continue
        pins = [specifier.version for specifier in requirement.specifier if specifier.operator == "=="]
        if len(pins) != 1 or not hashes:
            raise ValueError(f"{declaration!r} is not pinned to one version with hashes")
        locked.append(Locked(canonicalize_name(requirement.name), pins[0], frozenset(map(str.strip, hashes))))
    wanted = {canonicalize_name(name) for name in only}
    if missing := wanted - {entry.name for entry in locked}:
        raise ValueError(f"not in the lock file: {', '.join(sorted(missing))}")
    return sorted((entry for entry in locked if not wanted or entry.name in wanted), key=lambda entry: entry.name)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def present_wheels(directory: Path, locked: list[Locked], target: Target) -> dict[Locked, str]:
    """The locked wheels that `directory` holds already, as file names."""
    by_release = {(entry.name, entry.version): entry for entry in locked}
    found = {}
    for file in sorted(directory.glob("*.whl")):
        name, version, _, tags = parse_wheel_filename(file.name)
        entry = by_release.get((name, str(version)))
        if entry and not target.tags.isdisjoint(tags) and sha256(file) in entry.hashes:
            found[entry] = file.name
    return found


def download(module: AnsibleModule, locked: list[Locked], target: Target, directory: Path) -> None:
    """Fetch wheels with pip, which verifies the hashes. Leaves the module with pip's message when it can't."""
    lock = directory / "lock.txt"
    lock.write_text("\n".join(entry.line for entry in locked) + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--require-hashes", "--requirement", str(lock), "--dest", str(directory)]
    command += ["--implementation", "cp", "--python-version", target.python_version]
    command += [option for platform in target.platforms for option in ("--platform", platform)]
    status, _, error = module.run_command(command)
    if status != 0:
        module.fail_json(msg=f"pip could not download the locked wheels for Python {target.python_version}: {error}")


def build_project(module: AnsibleModule, project: str, directory: Path) -> Path:
    """Build the project's wheel with the locked hatchling of this environment (no isolation, so no index)."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    status, output, error = module.run_command(command, cwd=project)
    if status != 0:
        module.fail_json(msg=f"the wheel of {project} could not be built: {error or output}")
    return next(directory.glob("*.whl"))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "requirements": {"type": "path", "required": True},
            "python_version": {"type": "str", "required": True},
            "architecture": {"type": "str", "default": "x86_64"},
            "only": {"type": "list", "elements": "str", "default": []},
            "project": {"type": "path"},
        },
        supports_check_mode=True,
    )
    target = Target(module.params["python_version"], module.params["architecture"])
    directory = Path(module.params["path"])
    try:
        locked = read_lock(Path(module.params["requirements"]).read_text(), target, module.params["only"])
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{module.params['requirements']}: {error}")

    if not module.check_mode:
        directory.mkdir(parents=True, exist_ok=True)
    present = present_wheels(directory, locked, target)
    missing = [entry for entry in locked if entry not in present]
    result: dict[str, object] = {"changed": bool(missing)}
    identity = [target.python_version, target.architecture, *(entry.line for entry in locked)]

    # Wheels are made beside their place and renamed into it, so that an interrupted run leaves no half file.
    # A temporary directory of the system's is no such place: it may be another file system.
    with tempfile.TemporaryDirectory(dir=None if module.check_mode else directory, prefix=".") as name:
        scratch = Path(name)
        if missing and not module.check_mode:
            download(module, missing, target, scratch)
            for file in scratch.glob("*.whl"):
                shutil.move(file, directory / file.name)
            present = present_wheels(directory, locked, target)
        wheels = sorted(present.values())
        if module.params["project"]:
            wheel = build_project(module, module.params["project"], scratch)
            identity.append(sha256(wheel))
            place = directory / wheel.name
            if not place.exists() or sha256(place) != sha256(wheel):
                result["changed"] = True
                if not module.check_mode:
                    shutil.move(wheel, place)
            wheels.append(wheel.name)
            result["project_wheel"] = wheel.name
    digest = hashlib.sha256("\n".join(identity).encode()).hexdigest()
    module.exit_json(**result, wheels=wheels, digest=digest)


if __name__ == "__main__":
    main()
