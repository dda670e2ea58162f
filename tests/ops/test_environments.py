"""Settings in users' shells and odd machines don't affect what make does.

`make try-host` does everything except install MongoDB: preflight, environment, host, ssh, Ansible, removal.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import hosts, image, podman
from ops.containers import containers, exists
from tests.ops.newcomer import SECONDS, Newcomer, mounted, with_ssh_directory

pytestmark = pytest.mark.hosts
thorough = pytest.mark.thorough

ENV = "try"
NOBODY_LISTENS = "http://127.0.0.1:9"

#: Environment variables by kind; `{directory}` is a temporary directory.
SETTINGS: dict[str, dict[str, str | None]] = {
    "the C locale": {"LC_ALL": "C"},
    "a locale that isn't generated here": {"LC_ALL": "xx_YY.UTF-8", "LANG": "xx_YY.UTF-8", "LANGUAGE": "xx"},
    "a locale of macOS": {"LC_CTYPE": "UTF-8", "LANG": None},
    "an Ansible configuration": {"ANSIBLE_CONFIG": "{directory}/ansible.cfg"},
    "another project's vault": {"ANSIBLE_VAULT_PASSWORD_FILE": "{directory}/none"},
    "Ansible settings": {
        "ANSIBLE_INVENTORY": "{directory}/none",
        "ANSIBLE_ROLES_PATH": "{directory}",
        "ANSIBLE_STDOUT_CALLBACK": "none_such",
        "ANSIBLE_REMOTE_USER": "nobody",
        "ANSIBLE_SSH_ARGS": "-o ProxyCommand=false",
        "ANSIBLE_TRANSPORT": "local",
        "ANSIBLE_CHECK_MODE_MARKERS": "maybe",
        "ANSIBLE_STRATEGY": "none_such",
    },
    "proxies": {
        name: NOBODY_LISTENS for lower in ("http_proxy", "https_proxy", "all_proxy") for name in (lower, lower.upper())
    },
    "Python settings": {
        "PYTHONHOME": "{directory}",
        "PYTHONPATH": "{directory}",
        "PYTHONSTARTUP": "{directory}/none",
        "PYTHONWARNINGS": "error",
        "PYTHONOPTIMIZE": "2",
        "PYTHONUTF8": "0",
    },
    "a conda shell": {
        "CONDA_PREFIX": "{directory}",
        "CONDA_DEFAULT_ENV": "base",
        "CONDA_SHLVL": "1",
        "VIRTUAL_ENV": "{directory}",
        "PATH": "{directory}/bin:" + os.environ["PATH"],
    },
    "a PATH without the administrator's tools": {
        "PATH": ":".join(part for part in os.environ["PATH"].split(":") if not part.endswith("sbin")),
    },
    "leftovers of other tools": {
        "CDPATH": "/:/usr",
        "GREP_OPTIONS": "--color=always -n",
        "POSIXLY_CORRECT": "1",
        "BASH_ENV": "{directory}/rc",
        "BASH_FUNC_cd%%": "() {  echo elsewhere; }",
        "IFS": "/",
        "GIT_DIR": "{directory}",
        "DOCKER_HOST": "tcp://127.0.0.1:9",
        "CONTAINER_HOST": "tcp://127.0.0.1:9",
        "CONTAINERS_CONF": "{directory}/none",
        "GNUPGHOME": "{directory}/none",
    },
    "options of make": {"MAKEFLAGS": "-j8"},
    "no terminal type": {"TERM": None},
    "a dumb terminal": {"TERM": "dumb", "COLUMNS": "40"},
    "no place for temporary files": {"TMPDIR": "{directory}/none"},
    "no home": {"HOME": None},
    "a home that is missing": {"HOME": "{directory}/none"},
    "a home that can't be written to": {"HOME": "/sys"},
    "a home with a long name": {"HOME": "{directory}/" + 90 * "h"},
    "a start-up file for sh": {"ENV": "{directory}/rc"},
}
#: Shells that have several of them at once: no two set the same variable. When one fails, try its settings one by one.
SHELLS: list[list[str]] = [
    ["the C locale", "an Ansible configuration", "proxies", "a conda shell", "no home"],
    ["a locale that isn't generated here", "Ansible settings", "leftovers of other tools", "a home that is missing"],
    ["a locale of macOS", "a PATH without the administrator's tools", "a dumb terminal", "a home with a long name"],
    ["another project's vault", "Python settings", "no terminal type", "a home that can't be written to"],
    ["options of make", "no place for temporary files", "a start-up file for sh"],
]


def test_every_setting_is_in_one_shell() -> None:
    assert sorted(name for shell in SHELLS for name in shell) == sorted(SETTINGS)
    for shell in SHELLS:
        assert len({variable for name in shell for variable in SETTINGS[name]}) == sum(len(SETTINGS[n]) for n in shell)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    """A user with a copy that most tests share; the hosts' image exists already."""
    image.ensure()
    return Newcomer.arrive(tmp_path_factory.mktemp("copy") / "film-library")


@pytest.fixture(autouse=True)
def nothing_is_left(newcomer: Newcomer) -> Iterator[None]:
    """No host and no log outlives a test, even if it fails."""
    yield
    left = sorted(containers(ENV)), exists(ENV)
    hosts.down(ENV)
    shutil.rmtree(newcomer.directory / "logs", ignore_errors=True)
    assert left == ([], False)


def succeeds(newcomer: Newcomer) -> str:
    """The output of a successful run."""
    result = newcomer.make("try-host")
    assert result.returncode == 0, result.stdout
    assert "local hosts work on this machine" in result.stdout
    return result.stdout


def is_refused(newcomer: Newcomer, *words: str) -> str:
    """The output of a run that was refused before anything was changed."""
    result = newcomer.make("try-host", *words)
    assert result.returncode != 0, result.stdout
    assert "Refused, nothing was changed" in result.stdout, result.stdout
    return result.stdout


def wait_for_phase(phase: str, newcomer: Newcomer, run: subprocess.Popen[str]) -> None:
    """Waits until the log says that the run is in a phase; earlier runs' logs are gone."""
    while not any(f"==== {phase}\n" in log.read_text() for log in (newcomer.directory / "logs").glob("*.log")):
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.01)


@pytest.mark.parametrize("shell", SHELLS, ids=", ".join)
def test_a_shell_with(shell: list[str], newcomer: Newcomer, tmp_path: Path) -> None:
    (tmp_path / (90 * "h")).mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    (tmp_path / "rc").write_text("echo the start-up file ran; exit 3\n")
    (tmp_path / "ansible.cfg").write_text("[defaults]\nroles_path = /nonexistent\nremote_user = nobody\n")
    (tmp_path / "yaml.py").write_text("raise ImportError('not the real one')\n")
    variables = {name: value for setting in shell for name, value in SETTINGS[setting].items()}
    given = {name: value and value.replace("{directory}", str(tmp_path)) for name, value in variables.items()}
    assert "the start-up file ran" not in succeeds(newcomer.having(**given))


@thorough
@pytest.mark.parametrize("umask", [0o077, 0o027], ids=oct)
def test_a_copy_that_others_may_not_read(umask: int, tmp_path: Path) -> None:
    succeeds(Newcomer.arrive(tmp_path / "copy", umask=umask))


@thorough
def test_a_copy_that_others_may_write_to(tmp_path: Path) -> None:
    newcomer = Newcomer.arrive(tmp_path / "copy", umask=0)
    (newcomer.directory / "ansible").chmod(0o777)
    succeeds(newcomer)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("film library (2) 100% für 'alle'", id="odd characters"),
        pytest.param(120 * "d", id="long", marks=thorough),
    ],
)
def test_a_copy_with_an_unusual_path(name: str, tmp_path: Path) -> None:
    succeeds(Newcomer.arrive(tmp_path / name))


@pytest.mark.parametrize("character", ':"$\\')
def test_an_unusable_path_is_refused(character: str, tmp_path: Path) -> None:
    said = is_refused(Newcomer.arrive(tmp_path / f"film{character}library"))
    assert "move the clone to a path without" in said


@thorough
def test_temporary_files_where_no_program_may_run(newcomer: Newcomer, tmp_path: Path) -> None:
    with mounted(tmp_path / "noexec", "noexec,mode=1777") as directory:
        succeeds(newcomer.having(TMPDIR=str(directory)))


@thorough
def test_an_agent_with_many_keys(newcomer: Newcomer, tmp_path: Path) -> None:
    """sshd allows six tries."""
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as agent:
        try:
            for number in range(7):
                key = tmp_path / f"key{number}"
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
                added = ["ssh-add", "-q", str(key)]
                subprocess.run(added, check=True, env=os.environ | {"SSH_AUTH_SOCK": str(socket)})
            succeeds(newcomer.having(SSH_AUTH_SOCK=str(socket)))
        finally:
            agent.terminate()


def test_an_ssh_configuration(newcomer: Newcomer, tmp_path: Path) -> None:
    directory = tmp_path / "ssh"
    directory.mkdir(mode=0o700)
    settings = ("ProxyJump nowhere.invalid", "RemoteCommand sleep 600", "RequestTTY force", "User somebody")
    (directory / "config").write_text("Host *\n" + "".join(f"  {setting}\n" for setting in settings))
    (directory / "config").chmod(0o600)
    succeeds(newcomer.within(*with_ssh_directory(directory)))


def test_addresses_that_another_network_has(newcomer: Newcomer) -> None:
    subprocess.run(podman.as_root("ip", "link", "add", "try-other", "type", "bridge"), check=True)
    try:
        for change in (["addr", "add", "10.89.73.9/24", "dev"], ["link", "set", "up", "dev"]):
            subprocess.run(podman.as_root("ip", *change, "try-other"), check=True)
        assert "SUBNET=10.89.73.0/24: taken by try-other" in is_refused(newcomer)
        assert "local hosts work" in newcomer.make("try-host", "SUBNET=10.89.74.0/24").stdout
    finally:
        subprocess.run(podman.as_root("ip", "link", "del", "try-other"), check=True)


def test_a_full_disk(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "size=20m,mode=0777") as directory:
        assert f"{directory}/copy has" in is_refused(Newcomer.arrive(directory / "copy"))


def test_a_user_who_may_not_become_root() -> None:
    become = podman.as_root("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "-i")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        nobody = Newcomer.arrive(Path(directory) / "copy").within(*become)
        assert "no root: run as root, or as a user with sudo without a password" in is_refused(nobody)


@thorough
def test_a_terminal_of_forty_columns(newcomer: Newcomer) -> None:
    """The live line fits, so the terminal doesn't scroll, and shows phase, seconds and hint."""
    command = "stty cols 40 && make --no-print-directory try-host"
    words = ["script", "--quiet", "--return", "--command", command, "/dev/null"]
    environment = newcomer.environment | {"TERM": "xterm"}
    result = subprocess.run(
        words,
        check=False,
        cwd=newcomer.directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=SECONDS,
    )
    output = result.stdout.decode()
    assert result.returncode == 0, output
    lines = [re.sub(r"\x1b\[[?0-9]*[A-Za-z]", "", line) for line in output.split("\r\x1b[2K")]
    live = [line for line in lines if "\n" not in line]
    assert any(re.search(r"Reach the ho +\d+\.\d s  \w", line) for line in live), output
    assert max(map(len, live)) < 40


@pytest.mark.parametrize(
    ("phase", "number", "presses"),
    [
        pytest.param("Host", signal.SIGINT, 1, id="Ctrl-C at the start", marks=thorough),
        pytest.param("Reach the host", signal.SIGINT, 1, id="Ctrl-C", marks=thorough),
        pytest.param("Reach the host", signal.SIGINT, 3, id="Ctrl-C, impatiently"),
        pytest.param("Reach the host", signal.SIGHUP, 1, id="a closed terminal", marks=thorough),
        pytest.param("Remove the host", signal.SIGINT, 1, id="Ctrl-C at the end", marks=thorough),
    ],
)
def test_an_interrupt(phase: str, number: signal.Signals, presses: int, newcomer: Newcomer) -> None:
    with newcomer.begin("try-host") as run:
        wait_for_phase(phase, newcomer, run)
        for _ in range(presses):
            os.killpg(run.pid, number)
            time.sleep(0.3)  # as a person would press keys
        output, _ = run.communicate(timeout=SECONDS)
    assert run.returncode != 0, output
    assert f"Interrupted in phase '{phase}'" in output
    succeeds(newcomer)


@thorough
def test_two_copies_at_once(newcomer: Newcomer, tmp_path: Path) -> None:
    other = Newcomer.arrive(tmp_path / "other")
    with newcomer.begin("try-host") as first:
        wait_for_phase("Reach the host", newcomer, first)
        said = is_refused(other)
        output, _ = first.communicate(timeout=SECONDS)
    assert f"created by the clone in {newcomer.directory}" in said
    assert first.returncode == 0, output


def test_two_runs_at_once(newcomer: Newcomer) -> None:
    with newcomer.begin("try-host") as first:
        wait_for_phase("Host", newcomer, first)
        second = newcomer.make("try-host")
        output, _ = first.communicate(timeout=SECONDS)
    assert "Another run is using ENV=try" in second.stdout
    assert first.returncode == 0, output
