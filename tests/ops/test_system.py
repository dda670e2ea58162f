"""Which machines can run local hosts, with which release, and what others can do instead."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ops import paths, system
from ops.system import System, UnfitError


def fields(name: str, identity: str, like: str = "", **more: str) -> str:
    """An os-release file."""
    pairs = {"PRETTY_NAME": name, "ID": identity, "ID_LIKE": like, **more}
    return "".join(f'{key}="{value}"\n' for key, value in pairs.items() if value)


def debian(version: str, suite: str) -> str:
    return fields(f"Debian GNU/Linux {version}", "debian", VERSION_ID=version, VERSION_CODENAME=suite)


def ubuntu(version: str, suite: str) -> str:
    return fields(f"Ubuntu {version}", "ubuntu", "debian", VERSION_CODENAME=suite, UBUNTU_CODENAME=suite)


def mint(version: str, suite: str) -> str:
    like = "ubuntu debian"
    return fields(f"Linux Mint {version}", "linuxmint", like, VERSION_CODENAME="wilma", UBUNTU_CODENAME=suite)


LMDE = fields("LMDE 6 (faye)", "linuxmint", "debian", VERSION_CODENAME="faye", DEBIAN_CODENAME="bookworm")
KALI = fields("Kali GNU/Linux Rolling", "kali", "debian", VERSION_CODENAME="kali-rolling")
FEDORA = fields("Fedora Linux 43", "fedora", VERSION_ID="43")
ARCH = fields("Arch Linux", "arch")


def ask(tmp_path: Path, release: str, uname: str = "Linux x86_64") -> subprocess.CompletedProcess[str]:
    """Runs bin/system on a machine with only a shell and uname."""
    kernel, machine = uname.split()
    (tmp_path / "os-release").write_text(release)
    (tmp_path / "uname").write_text(f'#!/bin/sh\n[ "$1" = -s ] && echo {kernel} || echo {machine}\n')
    (tmp_path / "uname").chmod(0o755)
    command = [str(paths.ROOT / "bin" / "system"), str(tmp_path / "os-release")]
    return subprocess.run(command, check=False, capture_output=True, text=True, env={"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("release", "answer"),
    [
        (debian("12", "bookworm"), "debian bookworm"),
        (debian("13", "trixie"), "debian trixie"),
        (ubuntu("22.04", "jammy"), "ubuntu jammy"),
        (ubuntu("24.04", "noble"), "ubuntu noble"),
    ],
)
def test_a_tested_release_gives_no_warning(tmp_path: Path, release: str, answer: str) -> None:
    result = ask(tmp_path, release)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{answer}\n", "")


@pytest.mark.parametrize(
    ("release", "answer"),
    [
        (debian("14", "forky"), "debian forky"),
        (ubuntu("26.04", "resolute"), "ubuntu resolute"),
        (mint("22", "noble"), "ubuntu noble"),
        (LMDE, "debian bookworm"),
    ],
)
def test_an_untested_release_gives_a_warning(tmp_path: Path, release: str, answer: str) -> None:
    result = ask(tmp_path, release)
    assert (result.returncode, result.stdout) == (0, f"{answer}\n")
    assert result.stderr.startswith("warning: ")
    assert "is untested" in result.stderr


@pytest.mark.parametrize("release", [FEDORA, ARCH, KALI], ids=["Fedora", "Arch", "Kali"])
def test_another_distribution_is_told_what_works(tmp_path: Path, release: str) -> None:
    result = ask(tmp_path, release)
    assert (result.returncode, result.stdout) == (1, "")
    assert "make dev" in result.stderr
    assert "limactl start --name=films --memory=6 template://ubuntu-24.04" in result.stderr


@pytest.mark.parametrize("release", [debian("11", "bullseye"), ubuntu("20.04", "focal"), mint("20", "focal")])
def test_an_old_release_is_told_to_use_a_virtual_machine(tmp_path: Path, release: str) -> None:
    result = ask(tmp_path, release)
    assert (result.returncode, result.stdout) == (1, "")
    assert "limactl" in result.stderr
    assert "make dev" not in result.stderr


@pytest.mark.parametrize(
    ("uname", "name"),
    [("Darwin arm64", "macOS (arm64)"), ("Darwin x86_64", "macOS (x86_64)"), ("Linux aarch64", "12 (aarch64)")],
)
def test_another_kernel_or_processor_is_told_to_use_a_virtual_machine(tmp_path: Path, uname: str, name: str) -> None:
    result = ask(tmp_path, debian("12", "bookworm"), uname)
    assert (result.returncode, result.stdout) == (1, "")
    assert name in result.stderr
    assert "make dev" not in result.stderr
    assert ("--arch=x86_64" in result.stderr) == ("x86_64" not in uname)


def test_hosts_get_the_machines_release_or_host_suite() -> None:
    own = system.own()
    assert system.of_hosts({}) == system.of_hosts({"HOST_SUITE": ""}) == own
    assert system.of_hosts({"HOST_SUITE": "forky"}) == System(own.distribution, "forky")


def test_an_invalid_code_name_is_refused() -> None:
    with pytest.raises(UnfitError, match="HOST_SUITE=13: must be a release's code name"):
        system.of_hosts({"HOST_SUITE": "13"})
