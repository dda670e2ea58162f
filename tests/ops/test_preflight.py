"""What refuses a run. Each check is a function of values read from the machine."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from ops import paths, preflight
from ops.containers import Container
from ops.settings import Settings, SettingsError

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
vpn0\t0046590A\t00000000\t0001\t0\t0\t0\t00FEFFFF\t0\t0\t0
old0\t0064590A\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_a_subnet_with_a_route_is_taken() -> None:
    (problem,) = preflight.subnet_problems(IPv4Network("10.89.71.0/24"), ROUTES)
    assert problem.startswith("SUBNET=10.89.71.0/24: taken by vpn0 (10.89.70.0/23)")


@pytest.mark.parametrize("free", ["10.89.72.0/24", "10.89.100.0/24", "192.168.5.0/24"])
def test_a_subnet_without_a_route_is_free(free: str) -> None:
    """The default route and inactive routes don't count."""
    assert preflight.subnet_problems(IPv4Network(free), ROUTES) == []


def test_memory_depends_on_the_number_of_mongods() -> None:
    small, large = Settings.read({}), Settings.read({"SHARDS": "9", "MEMBERS": "7"})
    assert preflight.memory_problems(small, 4000) == []
    (problem,) = preflight.memory_problems(large, 4000)
    assert "70 mongods on 8 hosts need" in problem
    assert "4000 MB are available" in problem
    assert "SHARDS or MEMBERS" in problem


def test_disk_names_the_directory_that_is_too_full() -> None:
    full, roomy = Path("/full"), Path("/roomy")
    (problem,) = preflight.disk_problems(Settings.read({}), {full: 900, roomy: 90_000})
    assert "/full has 900 MB free" in problem


def test_a_layout_without_a_running_host_is_refused() -> None:
    compact = {"mongo-1": Container("mongo-1", "10.89.70.11", "running")}
    assert preflight.host_problems(Settings.read({"SHARDS": "3", "MEMBERS": "5"}), compact) == []
    (problem,) = preflight.host_problems(Settings.read({"TOPOLOGY": "dedicated"}), compact)
    assert problem.startswith("TOPOLOGY=dedicated SHARDS=2 MEMBERS=3: leaves out the host mongo-1")
    assert "make cluster-down ENV=local" in problem


def test_fewer_shards_than_are_running_are_refused() -> None:
    current = Settings.read({"TOPOLOGY": "dedicated", "SHARDS": "3"})
    running = {host.name: Container(host.name, host.address, "running") for host in current.hosts}
    fewer = Settings.read({"TOPOLOGY": "dedicated", "SHARDS": "2"})
    assert preflight.host_problems(current, running) == []
    assert [problem.split("host ")[1].split()[0] for problem in preflight.host_problems(fewer, running)] == [
        "shard3-1",
        "shard3-2",
        "shard3-3",
    ]


def test_another_subnet_than_the_running_hosts_is_refused() -> None:
    running = {"mongo-1": Container("mongo-1", "10.89.70.11", "exited")}
    (problem,) = preflight.host_problems(Settings.read({"SUBNET": "10.200.1.0/24"}), running)
    assert problem == "SUBNET=10.200.1.0/24: the running hosts are in 10.89.70.0/24"


def test_another_clones_hosts_are_refused() -> None:
    running = {"mongo-1": Container("mongo-1", "10.89.70.11", "running", copy="/elsewhere/film-library")}
    (problem,) = preflight.host_problems(Settings.read({}), running)
    assert "clone in /elsewhere/film-library" in problem
    assert "make cluster-down ENV=local" in problem


def test_problems_of_settings_and_machine_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "can_be_root", lambda: False)
    with pytest.raises(SettingsError) as refused:
        preflight.check({"TOPOLOGY": "star"})
    assert refused.value.problems[0].startswith("TOPOLOGY=star")
    assert refused.value.problems[1].startswith("no root: ")


@pytest.mark.parametrize(
    ("version", "said"),
    [(None, "terraform: not found"), ((1, 8, 5), "terraform: 1.8.5 is too old, must be 1.9 or later")],
)
def test_aws_needs_terraform(version: tuple[int, ...] | None, said: str) -> None:
    assert preflight.terraform_problems((1, 9, 0)) == []
    (problem,) = preflight.terraform_problems(version)
    assert problem.startswith(said)


@pytest.fixture
def settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The path of an aws.tfvars that doesn't exist yet."""
    monkeypatch.setattr("ops.aws.tfvars.DIRECTORY", tmp_path)
    monkeypatch.setattr(preflight, "ROOT", tmp_path)
    monkeypatch.delenv("TF_VAR_admin_cidrs", raising=False)
    return tmp_path / "aws.tfvars"


def test_aws_requires_admin_cidrs(settings_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = preflight.settings_problems("aws")
    assert problem.startswith("admin_cidrs: not set")
    assert "copy aws.tfvars.example to aws.tfvars" in problem
    settings_file.write_text('admin_cidrs = ["203.0.113.7/32"] # mine\n')
    assert preflight.settings_problems("aws") == []
    settings_file.unlink()
    monkeypatch.setenv("TF_VAR_admin_cidrs", '["203.0.113.7/32"]')
    assert preflight.settings_problems("aws") == []


def test_aws_tfvars_must_not_set_what_make_sets(settings_file: Path) -> None:
    settings_file.write_text('admin_cidrs = ["203.0.113.7/32"]\n  topology= "dedicated"\n# shard_count = 3\n')
    assert preflight.settings_problems("aws") == ["aws.tfvars: topology is set by TOPOLOGY=..."]


def test_up_refuses_with_exit_code_2_and_changes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ops", "up"]
    before = sorted(paths.LOGS.glob("local-up-*"))
    result = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=paths.ROOT, env={"PATH": "/bin", "SHARDS": "99"}
    )
    assert result.returncode == 2
    assert result.stderr.startswith("Refused, nothing was changed:\n  SHARDS=99: must be one of")
    assert sorted(paths.LOGS.glob("local-up-*")) == before


@pytest.mark.parametrize("module", ["preflight", "doctor"])
def test_it_runs_before_anything_is_installed(module: str) -> None:
    """bin/bootstrap calls it with a bare Python: only the standard library is there."""
    code = f"import sys; sys.path.insert(0, {str(paths.ROOT)!r}); import ops.{module}"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
