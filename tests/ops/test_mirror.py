"""apt accepts the offline mirror, but only with a valid signature."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import mirror, packages

SUITE = "mongodb-org/6.0"
#: Longer than the path of a Unix socket may be (107 characters): gpg's agent must not put its socket next to the key.
LONG = "a-clone-far-down-" * 8


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The packages' sources as in a clone made with umask 077, which is the tests' umask, too."""
    before = os.umask(0o077)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_TEMPLATES", "_STANDIN"):
            copy = tmp_path_factory.mktemp("sources") / "copy"
            shutil.copytree(getattr(packages, name), copy)
            for path in copy.rglob("*"):
                path.chmod(path.stat().st_mode & 0o700)
            patch.setattr(packages, name, copy)
        yield
    os.umask(before)


@pytest.fixture(scope="module")
def repository(sources: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("repository") / LONG
    directory.mkdir()
    mirror.build(directory, SUITE, directory.parent / f"{LONG}.key")
    return directory


@pytest.fixture
def apt(repository: Path, tmp_path: Path) -> list[str]:
    """Options with which apt uses only this repository."""
    for name in ("lists/partial", "cache/archives/partial", "parts"):
        (tmp_path / name).mkdir(parents=True)
    sources = tmp_path / "sources.list"
    sources.write_text(f"deb [signed-by={repository}/signing-key.asc] file://{repository} {SUITE} {mirror.COMPONENT}\n")
    options = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": tmp_path / "parts",
        "Dir::State::lists": tmp_path / "lists",
        "Dir::Cache": tmp_path / "cache",
        "APT::Sandbox::User": "root",
        "APT::Update::Post-Invoke-Success::": "",
    }
    return [f"-o{name}={value}" for name, value in options.items()]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_apt_trusts_it_and_offers_both_packages(apt: list[str]) -> None:
    update = run("apt-get", *apt, "-oAPT::Update::Error-Mode=any", "update")
    assert update.returncode == 0, update.stderr
    policy = run("apt-cache", *apt, "policy", "mongodb-org-server", "mongodb-org-mongos").stdout
    assert policy.count(f"Candidate: {packages.version()}\n") == 2


def test_apt_refuses_it_after_tampering(apt: list[str], repository: Path) -> None:
    signed = repository / "dists" / SUITE / "InRelease"
    original = signed.read_text()
    signed.write_text(original.replace("Components: main", "Components: main evil"))
    try:
        update = run("apt-get", *apt, "-oAPT::Update::Error-Mode=any", "update")
    finally:
        signed.write_text(original)
    assert update.returncode != 0
    assert "signature" in update.stderr


def test_the_private_key_is_not_in_it(repository: Path) -> None:
    files = [path for path in repository.rglob("*") if path.is_file() and path.suffix != ".deb"]
    text = "".join(path.read_text() for path in files)
    assert "BEGIN PGP PUBLIC KEY BLOCK" in text
    assert "PRIVATE KEY" not in text


def test_everybody_can_read_it(repository: Path) -> None:
    paths = [repository, *repository.rglob("*")]
    assert [path for path in paths if path.stat().st_mode & 0o777 != (0o755 if path.is_dir() else 0o644)] == []


def test_the_key_stays_the_same_and_is_private(repository: Path, tmp_path: Path) -> None:
    """Hosts trust it, and wouldn't accept the mirror with another."""
    key = repository.parent / f"{LONG}.key"
    assert key.stat().st_mode & 0o777 == 0o600
    again = tmp_path / "again"
    again.mkdir()
    mirror.sign(repository / "dists" / SUITE / "Release", again / "InRelease", again / "key.asc", key)
    assert (again / "key.asc").read_text() == (repository / "signing-key.asc").read_text()


def contents(repository: Path, package: str) -> str:
    (deb,) = (repository / "pool").glob(f"{package}_*.deb")
    return run("dpkg-deb", "--contents", str(deb)).stdout


def test_the_server_is_laid_out_like_mongodbs(repository: Path) -> None:
    listing = contents(repository, "mongodb-org-server")
    for path in ("./usr/bin/mongod", "./etc/mongod.conf", "./lib/systemd/system/mongod.service"):
        assert f" {path}\n" in listing
    assert "root/root" in listing
    assert ".pyc" not in listing


@pytest.mark.parametrize("package", ["mongodb-org-server", "mongodb-org-mongos"])
def test_everybody_can_read_and_run_a_packages_files(repository: Path, package: str) -> None:
    programs = ("/usr/bin/mongod", "/usr/bin/mongos", "/usr/lib/mongos-standin/python")
    for mode, *_, path in (line.split() for line in contents(repository, package).splitlines()):
        wanted = "drwxr-xr-x" if path.endswith("/") else "-rwxr-xr-x" if path.endswith(programs) else "-rw-r--r--"
        assert mode == wanted, path


def test_the_stand_in_identifies_itself(repository: Path) -> None:
    (deb,) = (repository / "pool").glob("mongodb-org-mongos_*.deb")
    description = run("dpkg-deb", "--field", str(deb), "Description").stdout
    assert description.startswith("STAND-IN for MongoDB's router")
    assert "not MongoDB's mongos" in description


def test_the_stand_in_runs_from_the_package_alone(repository: Path, tmp_path: Path) -> None:
    """With the libraries in the package, for every supported Python."""
    (deb,) = (repository / "pool").glob("mongodb-org-mongos_*.deb")
    assert run("dpkg-deb", "--extract", str(deb), str(tmp_path)).returncode == 0
    library = tmp_path / "usr/lib/mongos-standin"
    assert (library / "standin" / "__main__.py").exists()
    for part in ("bson/_cbson", "yaml/_yaml"):
        found = {path.name for path in library.glob(f"{part}.*.so")}
        tags = [python.replace(".", "") for python in packages.PYTHONS]
        assert found == {f"{Path(part).name}.cpython-{tag}-x86_64-linux-gnu.so" for tag in tags}
    check = "import bson, yaml, sys; sys.exit(not (bson.has_c() and yaml.__with_libyaml__))"
    assert run("env", f"PYTHONPATH={library}", str(library / "python"), "-P", "-c", check).returncode == 0


def test_changing_the_stand_in_changes_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = packages.digest()
    (tmp_path / "standin").mkdir()
    (tmp_path / "standin" / "cli.py").write_text("changed = True\n")
    monkeypatch.setattr(packages, "_STANDIN", tmp_path / "standin")
    assert packages.digest() != before
