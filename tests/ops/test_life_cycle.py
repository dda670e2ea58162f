"""Hosts boot, survive faults and are removed. Needs root and podman; uses the environment `test`."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops import faults, hosts, podman, secrets
from ops.containers import container_name, containers, exists
from ops.down import down
from ops.locks import LockedError, exclusive
from ops.paths import build_dir, secrets_dir
from ops.settings import Settings
from ops.ssh import PATIENCE_SECONDS, HostError, command
from ops.system import SUITE_VARIABLE
from ops.topology import Host
from tests.ops.newcomer import with_ssh_directory

pytestmark = pytest.mark.hosts
ENV = "test"
SECRETS = secrets_dir(ENV)


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """Four running hosts, removed at the end."""
    settings = Settings.read({"ENV": ENV})
    down(ENV, {})
    hosts.up(ENV, settings.hosts, settings.subnet)
    yield settings
    down(ENV, {})


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ssh(host: Host, command: str) -> subprocess.CompletedProcess[str]:
    options = ["-o", "ConnectTimeout=2", "-o", "BatchMode=yes"]
    line = [*hosts.ssh_command(ENV, host), *options, command]
    return subprocess.run(line, check=False, capture_output=True, text=True)


def reaches(host: Host, peer: Host) -> bool:
    command = ["exec", container_name(ENV, host.name), "ping", "-c", "1", "-W", "1", peer.address]
    return podman.run(*command, check=False).returncode == 0


def test_each_host_boots_systemd_and_accepts_the_key(settings: Settings) -> None:
    for host in settings.hosts:
        result = ssh(host, "hostname; systemctl is-system-running")
        assert result.stdout.split() == [host.name, "running"], result.stderr


def test_an_unknown_host_key_is_refused(settings: Settings) -> None:
    known = secrets_dir(ENV) / "known_hosts"
    original = known.read_text()
    first, second = (line.split(maxsplit=1) for line in original.splitlines()[:2])
    secrets.write_private(known, f"{first[0]} {second[1]}\n", replace=True)
    try:
        assert "Host key verification failed" in ssh(settings.hosts[0], "true").stderr
    finally:
        secrets.write_private(known, original, replace=True)


def test_units_are_really_hardened(settings: Settings) -> None:
    """Without CAP_SYS_ADMIN systemd would start them unhardened, and tests of hardening would prove nothing."""
    hardened = "systemd-run --quiet --wait --collect -p ProtectSystem=strict touch /usr/here"
    assert ssh(settings.hosts[0], hardened).returncode != 0
    assert ssh(settings.hosts[0], "systemd-run --quiet --wait --collect touch /usr/here").returncode == 0


def test_a_second_run_keeps_the_same_containers(settings: Settings) -> None:
    def identities() -> str:
        return podman.run("ps", "--no-trunc", "--quiet", "--filter", f"label=film-library-env={ENV}").stdout

    before = identities()
    hosts.up(ENV, settings.hosts, settings.subnet)
    assert identities() == before


def test_a_host_comes_back_after_a_power_cut_with_its_files(settings: Settings) -> None:
    host, peer = settings.hosts[:2]
    ssh(host, "echo kept > /root/file; sync")
    faults.power_off(ENV, host)
    assert containers(ENV)[host.name].state == "exited"
    assert not reaches(peer, host)
    faults.boot(ENV, host)
    until(lambda: ssh(host, "cat /root/file").stdout == "kept\n")
    until(lambda: reaches(peer, host), seconds=5)


def test_up_starts_stopped_and_frozen_hosts(settings: Settings) -> None:
    faults.power_off(ENV, settings.hosts[0])
    faults.freeze(ENV, settings.hosts[1])
    hosts.up(ENV, settings.hosts, settings.subnet)
    assert {container.state for container in containers(ENV).values()} == {"running"}


def test_up_shows_sshs_error_when_it_cannot_log_in(settings: Settings) -> None:
    name = container_name(ENV, settings.hosts[0].name)
    podman.run("exec", name, "systemctl", "stop", "ssh.socket", "ssh.service", check=False)
    began = time.monotonic()
    try:
        with pytest.raises(HostError, match=r"can't log in to mongo-1[\s\S]*Connection refused"):
            hosts.up(ENV, settings.hosts, settings.subnet)
    finally:
        podman.run("exec", name, "systemctl", "start", "ssh.service")
    assert time.monotonic() - began < PATIENCE_SECONDS + 10


def test_a_jump_host_is_reached_with_the_users_own_ssh(
    settings: Settings, sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first host is the jump host to the second; a separate ~/.ssh is mounted for this test only."""
    jump, target = settings.hosts[:2]
    login = f"IdentityFile {SECRETS}/ssh_key\n  UserKnownHostsFile {SECRETS}/known_hosts\n"
    home = sandbox / "ssh"
    home.mkdir(mode=0o700)
    (home / "config").write_text(f"Host bastion\n  HostName {jump.address}\n  User root\n  {login}")
    monkeypatch.setenv("SSH_JUMP", "bastion")
    options = [f"-o{line.strip().replace(' ', '=', 1)}" for line in login.splitlines()]
    words = command("aws", target.address, *options, "-oUser=root")
    words = [*with_ssh_directory(home), *words, "echo $SSH_CONNECTION"]
    result = subprocess.run(words, check=False, capture_output=True, text=True)
    assert result.stdout.split()[:1] == [jump.address], result.stderr


def test_up_replaces_a_host_that_an_interrupted_run_left_half_made(settings: Settings) -> None:
    host = settings.hosts[0]
    name = container_name(ENV, host.name)
    image = podman.run("inspect", "--format", "{{.Image}}", name).stdout.strip()
    labels = ["--label", f"film-library-env={ENV}", "--label", f"film-library-address={host.address}"]
    podman.run("rm", "--force", "--time", "0", name)
    podman.run("create", "--name", name, *labels, image)
    hosts.up(ENV, settings.hosts, settings.subnet)
    assert ssh(host, "true").returncode == 0


def test_a_lost_host_comes_back_with_the_others_release(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    host = settings.hosts[0]
    before = containers(ENV)[host.name].image
    podman.run("rm", "--force", "--time", "0", container_name(ENV, host.name))
    monkeypatch.setenv(SUITE_VARIABLE, "nothing")  # a release that doesn't exist
    hosts.up(ENV, settings.hosts, settings.subnet)
    assert containers(ENV)[host.name].image == before


def test_a_partition_blocks_both_directions_and_heals(settings: Settings) -> None:
    host, peer, bystander = settings.hosts[:3]
    faults.partition(ENV, host, [peer])
    assert not reaches(host, peer)
    assert not reaches(peer, host)
    assert reaches(host, bystander)
    faults.heal(ENV, host)
    faults.heal(ENV, host)
    assert reaches(host, peer)


def test_freeze_and_thaw(settings: Settings) -> None:
    host = settings.hosts[0]
    faults.freeze(ENV, host)
    assert containers(ENV)[host.name].state == "paused"
    faults.thaw(ENV, host)
    assert ssh(host, "true").returncode == 0


def test_down_is_refused_while_up_is_running(settings: Settings) -> None:
    with exclusive(ENV), pytest.raises(LockedError):
        down(ENV, {})
    assert exists(ENV)


def test_down_removes_the_whole_environment_and_can_be_repeated(settings: Settings) -> None:
    others = {name for name in _networks() if name != f"film-library-{ENV}"}
    build_dir(ENV).mkdir(parents=True, exist_ok=True)
    removed = down(ENV, {})
    assert len(removed) == len(settings.hosts) + 2
    assert secrets_dir(ENV).exists()
    assert down(ENV, {}) == []
    assert down(ENV, {"REMOVE_SECRETS": "1"}) == [f"secrets/{ENV}"]
    assert not containers(ENV)
    assert not exists(ENV)
    assert not build_dir(ENV).exists()
    assert _networks() == others


def _networks() -> set[str]:
    return set(podman.run("network", "ls", "--format", "{{.Name}}").stdout.split())
