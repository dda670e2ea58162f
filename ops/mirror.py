"""The offline mirror: an apt repository with MongoDB's packages, built and signed on this machine."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops import children, packages, secrets
from ops.errors import OpsError
from ops.locks import exclusive
from ops.paths import CACHE

MIRROR = CACHE / "mirror"
#: Where local hosts mount MIRROR, read-only.
MOUNT = "/srv/film-library-mirror"
COMPONENT = "main"
KEY_FILE = MIRROR / "signing-key.asc"

_SECRET_KEY = CACHE / "mirror-signing-key.asc"
_SIGNER = "Film Library offline mirror"
_INPUTS = MIRROR / "inputs"  # digest of the repository's inputs; written last


class MirrorError(OpsError):
    """The repository can't be built or signed; the message has the tool's reason."""


def ensure(suite: str) -> None:
    """Rebuilds the mirror if its inputs changed.

    Raises MirrorError, packages.PackageError or ops.artifacts.ArtifactError.
    """
    with exclusive("mirror"):
        inputs = f"{suite} {packages.digest()}"
        if _INPUTS.exists() and _INPUTS.read_text() == inputs:
            return
        MIRROR.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="mirror.") as scratch:
            build(Path(scratch), suite, _SECRET_KEY)
            _publish(Path(scratch))
        _INPUTS.write_text(inputs)


def build(directory: Path, suite: str, secret_key: Path) -> None:
    """Builds the repository in an empty directory: pool/, dists/ signed with `secret_key`, and the public key."""
    pool = directory / "pool"
    pool.mkdir()
    packages.build(pool)
    release = directory / "dists" / suite
    index = release / COMPONENT / "binary-amd64" / "Packages"
    index.parent.mkdir(parents=True)
    index.write_text(_output(["apt-ftparchive", "packages", "pool"], cwd=directory))
    fields = {
        "Origin": _SIGNER,
        "Label": _SIGNER,
        "Suite": suite,
        "Codename": suite,
        "Architectures": "amd64",
        "Components": COMPONENT,
    }
    options = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in fields.items()]
    text = _output(["apt-ftparchive", *options, "release", "."], cwd=release)
    (release / "Release").write_text(text)
    sign(release / "Release", release / "InRelease", directory / "signing-key.asc", secret_key)
    packages.make_readable(directory)  # apt reads it as another user


def _publish(built: Path) -> None:
    """Moves a repository into place file by file, the index last, because hosts have the directory mounted."""
    fresh = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
    for path in sorted(fresh, key=lambda path: (path.parts[0] == "dists", path.name == "InRelease")):
        (MIRROR / path).parent.mkdir(parents=True, exist_ok=True)
        (built / path).replace(MIRROR / path)
    for path in MIRROR.rglob("*"):
        if path.is_file() and path.relative_to(MIRROR) not in fresh:
            path.unlink()
    packages.make_readable(MIRROR)


def sign(release: Path, target: Path, public_key: Path, secret_key: Path) -> None:
    """Signs with the mirror's key, generated on first use and kept: hosts trust it. It never leaves this machine."""
    with _gpg_home() as gpg:
        if secret_key.exists():
            _output([*gpg, "--import", str(secret_key)])
        else:
            _output([*gpg, "--quick-generate-key", _SIGNER, "rsa3072", "sign", "never"])
            secrets.write_private(secret_key, _output([*gpg, "--armor", "--export-secret-keys"]))
        _output([*gpg, "--yes", "--clearsign", "--output", str(target), str(release)])
        public_key.write_text(_output([*gpg, "--armor", "--export"]))


@contextmanager
def _gpg_home() -> Iterator[list[str]]:
    """The command `gpg` with a temporary home.

    It is in /tmp because gpg's agent has a socket in it: paths of sockets are limited to 107 characters, and not every
    file system supports them.
    """
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="film-library-gpg.", ignore_cleanup_errors=True) as home:
        try:
            yield ["gpg", "--batch", "--quiet", "--homedir", home, "--pinentry-mode", "loopback", "--passphrase", ""]
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)


def _output(command: list[str], cwd: Path | None = None) -> str:
    result = children.run(command, cwd=cwd)
    if result.returncode != 0:
        raise MirrorError(f"{command[0]}: {result.stderr.strip()}")
    return result.stdout
