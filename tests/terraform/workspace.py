"""Terraform in a copy of terraform/: nothing is written into the repository, and several can run at once.

For example:

    with ControlPlane() as aws:
        workspace = Workspace.emulated(tmp_path / "terraform", aws.endpoint)
        workspace.apply(VARIABLES)
        workspace.outputs()["hosts"]
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ops import children
from ops.paths import ROOT
from tests.terraform import providers

TERRAFORM = ROOT / "terraform"
#: Terraform reads it at this place beside its own directory.
TOPOLOGY = ROOT / "ansible/group_vars/all/topology.json"

#: The least that can be said: everything else has a default. The key's private half exists nowhere.
VARIABLES: dict[str, Any] = {
    "admin_cidrs": ["203.0.113.0/28"],
    "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMkL9y6t4U82vM170IULLioeNktW/nUGiu99pAHvc4nf tests",
}

# Nothing of the user's own Terraform or AWS set-up reaches a test.
_ISOLATION = {
    "TF_IN_AUTOMATION": "1",
    "TF_CLI_CONFIG_FILE": os.devnull,
    "CHECKPOINT_DISABLE": "1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class TerraformError(RuntimeError):
    """Terraform failed; the message is its output."""


@dataclass(frozen=True)
class Change:
    """What a plan does to one resource instance: actions as Terraform names them (create, update, delete, ...)."""

    address: str
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Workspace:
    """A copy of terraform/ in a directory of its own, with the mirror that its provider comes from."""

    directory: Path
    mirror: Path

    @classmethod
    def emulated(cls, directory: Path, endpoint: str) -> Workspace:
        """One that applies with provider 3.39.0 against an emulated EC2, initialised. Raises TerraformError."""
        # Without the test files: they name the bucket's module of today, which 3.39.0 can't load.
        workspace = cls(copy(directory, "tests"), providers.emulated_mirror())
        (directory / "emulation_override.tf.json").write_text(json.dumps(emulation(endpoint), indent=2))
        workspace.run("init")
        return workspace

    @classmethod
    def today(cls, directory: Path, mirror: Path) -> Workspace:
        """One that knows today's schema (providers.todays_mirror), initialised. Raises TerraformError."""
        workspace = cls(copy(directory), mirror)
        workspace.run("init")
        return workspace

    @cached_property
    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
        # Provider 3.39.0 writes each of its requests down at this level.
        log = {"TF_LOG": "DEBUG", "TF_LOG_CORE": "OFF", "TF_LOG_PATH": str(self._log)}
        return own | _ISOLATION | log

    @property
    def _log(self) -> Path:
        return self.directory / "provider.log"

    def requests(self) -> set[str]:
        """What has been asked of AWS so far: service and operation, as in "ec2/RunInstances"."""
        return set(re.findall(r"DEBUG: Request (\w+/\w+) Details", self._log.read_text(errors="replace")))

    def run(self, command: str, *arguments: str) -> str:
        """Runs `terraform COMMAND ...` and returns its standard output. Raises TerraformError when it fails."""
        words = self._words(command, *arguments)
        result = children.run(words, env=self._environment)
        if result.returncode != 0:
            raise TerraformError(f"{' '.join(words)}\n{result.stdout}{result.stderr}")
        return result.stdout

    def _words(self, command: str, *arguments: str) -> list[str]:
        words = ["terraform", f"-chdir={self.directory}", command, *arguments]
        if command == "init":
            words += [f"-plugin-dir={self.mirror}"]
        if command in {"init", "plan", "apply", "destroy"}:
            words += ["-input=false"]
        if command in {"init", "plan", "apply", "destroy", "validate", "test"}:
            words += ["-no-color"]
        return words

    def set(self, variables: Mapping[str, Any]) -> None:
        """Variables of every later plan, apply and destroy."""
        (self.directory / "terraform.tfvars.json").write_text(json.dumps(variables))

    def apply(self, variables: Mapping[str, Any]) -> None:
        """Makes it so. Raises TerraformError; what was made until then is in the state."""
        self.set(variables)
        self.run("apply", "-auto-approve")

    @contextmanager
    def start_apply(self, variables: Mapping[str, Any], log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """The same in the background, its output in a file; leaving the block early ends it."""
        self.set(variables)
        words = self._words("apply", "-auto-approve")
        with log.open("wb") as output:
            options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
            with children.child(words, env=self._environment, **options) as process:
                yield process

    def plan(self, variables: Mapping[str, Any]) -> list[Change]:
        """What an apply would do; empty when that is nothing. Raises TerraformError."""
        self.set(variables)
        self.run("plan", "-out=plan")
        changes = json.loads(self.run("show", "-json", "plan"))["resource_changes"]
        acting = [change for change in changes if change["change"]["actions"] not in (["no-op"], ["read"])]
        return [Change(change["address"], tuple(change["change"]["actions"])) for change in acting]

    def destroy(self) -> None:
        """Removes everything that the state knows. Raises TerraformError."""
        self.run("destroy", "-auto-approve")

    def outputs(self) -> dict[str, Any]:
        """The outputs' values by name."""
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json")).items()}


def copy(directory: Path, *without: str) -> Path:
    """Copies terraform/ and the file that it shares with Ansible.

    Leaves out what only one machine has: state, plug-ins, variables, other backends.
    """
    own = (".terraform*", "*.tfstate*", "*.tfvars", "*_override.tf", "*_override.tf.json", "*.tfbackend")
    shutil.copytree(TERRAFORM, directory, ignore=shutil.ignore_patterns(*own, *without))
    topology = directory.parent / TOPOLOGY.relative_to(ROOT)
    topology.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(TOPOLOGY, topology)
    return directory


def emulation(endpoint: str) -> dict[str, Any]:
    """The override for provider 3.39.0 at an endpoint: all that differs from terraform/ on AWS."""
    return {
        "terraform": {
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": providers.EMULATED_VERSION}}
        },
        "provider": {
            "aws": {
                # That version doesn't take the endpoint from the environment.
                "endpoints": dict.fromkeys(["ec2", "iam", "s3", "sts"], endpoint),
                "s3_force_path_style": True,
                "skip_credentials_validation": True,
                "skip_metadata_api_check": True,
                "skip_requesting_account_id": True,
            }
        },
        # It has no resource for a bucket's versions, lock, encryption and life cycle, so it says them in the old way.
        "module": {"backup_bucket": {"source": str(ROOT / "tests/terraform/backup_bucket_3x")}},
        # EC2 outside a VPC is gone and with it the question; that version still asks.
        "resource": {"aws_eip": {"host": {"vpc": True}}},
    }
