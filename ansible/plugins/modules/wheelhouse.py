#!/usr/bin/python
"""Ansible module: gather wheels for the hosts' Python on the controller. See DOCUMENTATION."""

from __future__ import annotations

import hashlib
import io
import re
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

DOCUMENTATION = r"""
module: wheelhouse
short_description: Build a wheelhouse from a lock file with hashes
description:
  - Gathers the locked wheels for one version of Python and one architecture, and optionally this project's own, so that
    hosts install with C(pip --no-index) and need no package index.
  - Runs on the controller, delegated to localhost for one host at a time, in the interpreter that runs Ansible.
  - Keeps no state. A locked wheel is present if a file with its name and version has one of the lock's hashes. The
    project's wheel is built every time (reproducible, half a second) and compared.
options:
  path: {description: "Directory of the wheels, not shared with other Pythons", type: path, required: true}
  requirements: {description: "Lock file; every requirement is pinned and has hashes", type: path, required: true}
  python_version: {description: "Version of the host's Python, such as C(3.12)", type: str, required: true}
  architecture: {description: "The host's architecture, such as C(x86_64)", type: str, default: x86_64}
  only: {description: Restrict the lock to these distributions, type: list, elements: str, default: []}
  project: {description: Directory of a hatchling project whose wheel is added, type: path}
  archive:
    description:
      - File to pack the wheelhouse into as a tar archive, to send in one piece. It holds the wheels and a
        C(requirements.txt) for C(pip install --no-index --require-hashes).
    type: path
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
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
        """The environment for markers. pip would use that of its own Python."""
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
    """The lock file's requirements for `target`, by name. Raises ValueError if one isn't pinned or has no hash."""
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
    """The locked wheels in `directory`, as file names."""
    by_release = {(entry.name, entry.version): entry for entry in locked}
    found = {}
    for file in sorted(directory.glob("*.whl")):
        name, version, _, tags = parse_wheel_filename(file.name)
        entry = by_release.get((name, str(version)))
        if entry and not target.tags.isdisjoint(tags) and sha256(file) in entry.hashes:
            found[entry] = file.name
    return found


def download(module: AnsibleModule, locked: list[Locked], target: Target, directory: Path) -> None:
    """Downloads wheels with pip, which verifies the hashes. Fails the module with pip's message if it can't."""
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


def pack(files: list[Path], requirements: str) -> bytes:
    """A tar archive of the files and of requirements.txt; equal content gives equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in [
            *((file.name, file.read_bytes()) for file in files),
            ("requirements.txt", requirements.encode()),
        ]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def replace(place: Path, content: bytes, scratch: Path, *, check_mode: bool) -> bool:
    """Writes `content` to `place` atomically, through `scratch` on the same file system. Returns whether it changed."""
    if place.exists() and place.read_bytes() == content:
        return False
    if not check_mode:
        partial = scratch / "partial"
        partial.write_bytes(content)
        partial.replace(place)
    return True


def gather(module: AnsibleModule, locked: list[Locked], target: Target, scratch: Path) -> dict[str, Any]:
    """Updates the wheelhouse. Returns the module's result."""
    directory = Path(module.params["path"])
    present = present_wheels(directory, locked, target)
    missing = [entry for entry in locked if entry not in present]
    if missing and not module.check_mode:
        download(module, missing, target, scratch)
        for file in scratch.glob("*.whl"):
            file.replace(directory / file.name)
        present = present_wheels(directory, locked, target)
    changed = bool(missing)
    wheels = sorted(present.values())
    lines = [entry.line for entry in locked]

    if module.params["project"]:
        wheel = build_project(module, module.params["project"], scratch)
        name, version, _, _ = parse_wheel_filename(wheel.name)
        lines.append(Locked(name, str(version), frozenset([sha256(wheel)])).line)
        wheels.append(wheel.name)
        place = directory / wheel.name
        changed |= replace(place, wheel.read_bytes(), scratch, check_mode=module.check_mode)
    requirements = "\n".join(lines) + "\n"
    if module.params["archive"] and not module.check_mode:
        content = pack([directory / name for name in wheels], requirements)
        changed |= replace(Path(module.params["archive"]), content, scratch, check_mode=False)
    identity = f"{target.python_version} {target.architecture}\n{requirements}"
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return {"changed": changed, "wheels": wheels, "digest": digest}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "requirements": {"type": "path", "required": True},
            "python_version": {"type": "str", "required": True},
            "architecture": {"type": "str", "default": "x86_64"},
            "only": {"type": "list", "elements": "str", "default": []},
            "project": {"type": "path"},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    target = Target(module.params["python_version"], module.params["architecture"])
    try:
        locked = read_lock(Path(module.params["requirements"]).read_text(), target, module.params["only"])
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{module.params['requirements']}: {error}")
    # Files are made beside their place and renamed, so that an interrupted run leaves no incomplete file.
    beside = None
    if not module.check_mode:
        Path(module.params["path"]).mkdir(parents=True, exist_ok=True)
        beside = module.params["path"]
    with tempfile.TemporaryDirectory(dir=beside, prefix=".") as scratch:
        result = gather(module, locked, target, Path(scratch))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
