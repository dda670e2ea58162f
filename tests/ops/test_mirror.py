"""The offline mirror is an apt repository that apt itself accepts, and only with its signature."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ops import mirror, packages

SUITE = "bookworm/mongodb-org/6.0"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("repository")
    mirror.build(directory, SUITE, tmp_path_factory.mktemp("gnupg"))
    return directory


@pytest.fixture
def apt(repository: Path, tmp_path: Path) -> list[str]:
    """Options for apt to know this repository and nothing of the machine's."""
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
    assert policy.count("Candidate: 6.0.5+film.library.") == 2


def test_apt_refuses_it_once_it_was_tampered_with(apt: list[str], repository: Path) -> None:
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


def contents(repository: Path, package: str) -> str:
    (deb,) = (repository / "pool").glob(f"{package}_*.deb")
    return run("dpkg-deb", "--contents", str(deb)).stdout


def test_the_server_is_laid_out_like_mongodbs(repository: Path) -> None:
    listing = contents(repository, "mongodb-org-server")
    for path in ("./usr/bin/mongod", "./etc/mongod.conf", "./lib/systemd/system/mongod.service"):
        assert f" {path}\n" in listing
    assert "root/root" in listing
    assert ".pyc" not in listing


def test_the_stand_in_says_what_it_is(repository: Path) -> None:
    (deb,) = (repository / "pool").glob("mongodb-org-mongos_*.deb")
    description = run("dpkg-deb", "--field", str(deb), "Description").stdout
    assert description.startswith("STAND-IN for MongoDB's router")
    assert "not MongoDB's mongos" in description


def test_the_stand_in_runs_from_the_package_alone(repository: Path, tmp_path: Path) -> None:
    """With the libraries inside the package; the controller's Python may be another than the hosts'."""
    (deb,) = (repository / "pool").glob("mongodb-org-mongos_*.deb")
    assert run("dpkg-deb", "--extract", str(deb), str(tmp_path)).returncode == 0
    library = tmp_path / "usr/lib/mongos-standin"
    assert (library / "standin" / "__main__.py").exists()
    assert {"bson", "yaml"} <= {path.name for path in library.iterdir()}
    tag = packages.host_python().replace(".", "")
    assert list(library.glob(f"bson/*.cpython-{tag}-x86_64-linux-gnu.so"))


def test_a_change_of_the_stand_in_makes_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = packages.digest()
    (tmp_path / "standin").mkdir()
    (tmp_path / "standin" / "cli.py").write_text("changed = True\n")
    monkeypatch.setattr(packages, "_STANDIN", tmp_path / "standin")
    assert packages.digest() != before
