"""bin/shell: the environment in which everything runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ops.paths import ROOT
from tests.ops.newcomer import Newcomer


def seen(*command: str, **shell: str) -> dict[str, str]:
    """The environment of a command that bin/shell runs in a shell with PATH and these variables."""
    words = [str(ROOT / "bin" / "shell"), *(command or ("-c", "env -0"))]
    output = subprocess.run(
        words, env={"PATH": os.environ["PATH"], **shell}, check=True, capture_output=True, text=True
    )
    return dict(entry.split("=", 1) for entry in output.stdout.split("\0") if entry)


def test_other_variables_are_dropped_and_listed() -> None:
    made = seen(ANSIBLE_FORKS="1", PIP_TARGET="/x", SHARDS="3", EDITOR="vi")
    assert {"ANSIBLE_FORKS", "PIP_TARGET", "EDITOR"}.isdisjoint(made)
    assert {"ANSIBLE_FORKS", "PIP_TARGET", "EDITOR"} <= set(made["FILM_LIBRARY_IGNORED"].split())
    assert made["SHARDS"] == "3"


@pytest.mark.parametrize(
    ("given", "strategy"), [("", "mitogen_linear"), ("debug", "mitogen_linear"), ("linear", "linear")]
)
def test_ansible_uses_mitogen_by_default(given: str, strategy: str) -> None:
    made = seen("env", "-0", ANSIBLE_STRATEGY=given)
    assert made["ANSIBLE_STRATEGY"] == strategy
    assert Path(made["ANSIBLE_STRATEGY_PLUGINS"], "mitogen_linear.py").exists()


@pytest.mark.parametrize("value", ["", " a  b ", "*", "$(exit 3)", "`exit 3`", "'\"\\", "two\nlines", "ü"])
def test_values_are_passed_on_unchanged(value: str) -> None:
    assert seen(SOURCE=value)["SOURCE"] == value


def test_aws_credentials_are_passed_on_for_aws_only() -> None:
    account = {"AWS_PROFILE": "real", "TF_VAR_region": "x", "SSH_AUTH_SOCK": "/agent"}
    assert account.keys().isdisjoint(seen(ENV="local", **account))
    assert account.keys().isdisjoint(seen(**account))
    assert account.items() <= seen(ENV="aws", **account).items()


def test_playbooks_get_the_vaults_password_from_any_directory() -> None:
    assert seen(VAULT_PASSWORD_FILE="/safe/password")["ANSIBLE_VAULT_PASSWORD_FILE"] == "/safe/password"
    made = seen(VAULT_PASSWORD_FILE="password")
    assert made["VAULT_PASSWORD_FILE"] == made["ANSIBLE_VAULT_PASSWORD_FILE"] == f"{Path.cwd()}/password"
    assert "ANSIBLE_VAULT_PASSWORD_FILE" not in seen(ANSIBLE_VAULT_PASSWORD_FILE="/another/project's")


def test_the_users_no_proxy_is_kept() -> None:
    assert seen()["no_proxy"] == "localhost,127.0.0.1,::1"
    assert seen(no_proxy="intranet")["no_proxy"] == "localhost,127.0.0.1,::1,intranet"


def test_the_projects_tools_are_first_on_path() -> None:
    assert seen("env", "-0", PATH="/usr/bin:/bin")["PATH"].startswith(f"{ROOT}/.venv/bin:/usr/bin:")
    assert seen("-c", "env -0", PATH="/usr/bin:/bin")["PATH"].startswith("/usr/bin:")


def test_the_umask_is_reset() -> None:
    command = f"umask 077; {ROOT}/bin/shell -c umask"
    assert subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout == "0022\n"


@pytest.mark.parametrize("hard", [300, 20_000])
def test_the_open_files_limit_is_raised(hard: int) -> None:
    command = f"ulimit -S -n 256 && ulimit -H -n {hard} && {ROOT}/bin/shell -c 'ulimit -n'"
    assert subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout == f"{hard}\n"


def test_the_commands_exit_code_is_returned() -> None:
    assert subprocess.run([str(ROOT / "bin" / "shell"), "-c", "exit 7"], check=False).returncode == 7
    assert subprocess.run([str(ROOT / "bin" / "shell"), "sh", "-c", "exit 8"], check=False).returncode == 8


@pytest.mark.parametrize("target", ["test-unit", "test-terraform", "test-roles", "test-cluster", "test-aws"])
def test_tests_never_see_a_cluster_or_an_account(target: str, tmp_path: Path) -> None:
    """Replaces each target's recipe with one that prints the environment."""
    newcomer = Newcomer.arrive(tmp_path / "copy").having(ENV="aws", AWS_PROFILE="real", SUBNET="10.1.2.0/24")
    recipe = tmp_path / "recipe.mk"
    recipe.write_text(f"{target}: tools\n\t@env\n")
    result = newcomer.make("-f", "Makefile", "-f", str(recipe), target, "SHARDS=9")
    assert result.returncode == 0, result.stdout
    made = dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)
    assert (made["ENV"], made["SHARDS"], made["MEMBERS"], made.get("SUBNET", "")) == ("test", "2", "3", "")
    assert "AWS_PROFILE" not in made


def test_no_secret_is_on_a_command_line() -> None:
    """Every user of a machine can read command lines; `sh -x` prints them."""
    environment = {"PATH": os.environ["PATH"], "ENV": "aws", "AWS_SECRET_ACCESS_KEY": "hush", "http_proxy": "hush"}
    words = ["sh", "-x", str(ROOT / "bin" / "shell"), "-c", "true"]
    result = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    assert "+ exec bash -c true" in result.stderr
    assert "hush" not in result.stderr
