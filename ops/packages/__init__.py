"""The offline mirror's two packages, built from the directories next to this file.

mongodb-org-server contains MongoDB's mongod from a wheel. mongodb-org-mongos contains the stand-in and the Python
libraries it needs, because no registry has MongoDB's router.
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

#: The stand-in's libraries (bson is part of pymongo); requirements/dev.txt pins their versions.
_LIBRARIES = ("pymongo", "pyyaml")

#: The Python versions for which the libraries' compiled modules are included. On a later version the libraries run
#: without them: slower, with the same results.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


class PackageError(OpsError):
    """A package can't be built; the message has the tool's reason."""


def digest() -> str:
    """A digest of the packages' inputs."""
    result = hashlib.sha256(" ".join(PYTHONS).encode())
    result.update(LOCK.read_bytes() + _pins().encode())
    for directory in (_TEMPLATES, _STANDIN):
        for path in _sources(directory):
            result.update(f"{path.relative_to(directory)}\0".encode() + path.read_bytes())
    return result.hexdigest()[:12]


def version() -> str:
    """The packages' version. It ends in the digest, so a later one may be lower."""
    return f"{OFFLINE_VERSION}+film.library.{digest()}"


def build(directory: Path) -> None:
    """Builds both packages into the directory. Raises PackageError or ops.artifacts.ArtifactError."""
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        server = _fill("mongodb-org-server", Path(scratch))
        binary = server / "usr" / "bin" / "mongod"
        binary.parent.mkdir(parents=True)
        shutil.copy(mongod_path(), binary)

        mongos = _fill("mongodb-org-mongos", Path(scratch))
        library = mongos / "usr" / "lib" / "mongos-standin"
        _add_libraries(library)
        shutil.copytree(_STANDIN, library / "standin", ignore=shutil.ignore_patterns("__pycache__", "*.toml", "*.md"))

        for tree in (server, mongos):
            make_readable(tree)
            # zstd, because the default takes a minute for mongod, and hosts have to unpack it.
            _run(["dpkg-deb", "-Zzstd", "-z3", "--root-owner-group", "--build", str(tree), str(directory)])


def make_readable(tree: Path) -> None:
    """Makes the tree readable and its programs executable for everybody, even if the clone was made with umask 077."""
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _sources(directory: Path) -> Iterator[Path]:
    return (path for path in sorted(directory.rglob("*")) if path.is_file() and path.suffix != ".pyc")


def _fill(package: str, scratch: Path) -> Path:
    """A copy of the package's directory with the version filled in."""
    tree = scratch / package
    shutil.copytree(_TEMPLATES / package, tree)
    control = tree / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("@VERSION@", version()))
    return tree


def _pins() -> str:
    """The libraries' entries in requirements/dev.txt, with hashes."""
    names = "|".join(_LIBRARIES)
    return "".join(re.findall(rf"^(?:{names})==.*(?:\n[ \t]+.*)*\n", _DEV_LOCK.read_text(), re.MULTILINE))


def _add_libraries(library: Path) -> None:
    """Unpacks the libraries' wheels for all PYTHONS; their compiled modules have different names."""
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
