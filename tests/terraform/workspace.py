"""Terraform in a copy of terraform/: the repository isn't changed, and several can run at once.

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

#: The required variables. Nobody has the private key.
VARIABLES: dict[str, Any] = {
    "admin_cidrs": ["203.0.113.0/28"],
    "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMkL9y6t4U82vM170IULLioeNktW/nUGiu99pAHvc4nf tests",
}

# Isolates tests from the user's Terraform and AWS settings.
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
    """What a plan does to a resource instance; actions are Terraform's (create, update, delete, ...)."""

    address: str
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Workspace:
    """A copy of terraform/ in its own directory, and the mirror with its provider."""

    directory: Path
    mirror: Path

    @classmethod
    def emulated(cls, directory: Path, endpoint: str) -> Workspace:
        """An initialised workspace with provider 3.39.0 for an emulated EC2. Raises TerraformError."""
        # Without the test files: they use the current bucket module, which 3.39.0 can't load.
        workspace = cls(copy(directory, "tests"), providers.emulated_mirror())
        (directory / "emulation_override.tf.json").write_text(json.dumps(emulation(endpoint), indent=2))
        workspace.run("init")
        return workspace

    @classmethod
    def today(cls, directory: Path, mirror: Path) -> Workspace:
        """An initialised workspace with the current schema (providers.todays_mirror). Raises TerraformError."""
        workspace = cls(copy(directory), mirror)
        workspace.run("init")
        return workspace

    @cached_property
    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
        # At this level provider 3.39.0 logs all its requests.
        log = {"TF_LOG": "DEBUG", "TF_LOG_CORE": "OFF", "TF_LOG_PATH": str(self._log)}
        return own | _ISOLATION | log

    @property
    def _log(self) -> Path:
        return self.directory / "provider.log"

    def requests(self) -> set[str]:
        """The requests to AWS so far, as service and operation: "ec2/RunInstances"."""
        return set(re.findall(r"DEBUG: Request (\w+/\w+) Details", self._log.read_text(errors="replace")))

    def run(self, command: str, *arguments: str) -> str:
        """Runs `terraform COMMAND ...` and returns its output. Raises TerraformError if it fails."""
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
        """Sets the variables for later plans, applies and destroys."""
        (self.directory / "terraform.tfvars.json").write_text(json.dumps(variables))

    def apply(self, variables: Mapping[str, Any]) -> None:
        """Applies. Raises TerraformError; the state then has what was created."""
        self.set(variables)
        self.run("apply", "-auto-approve")

    @contextmanager
    def start_apply(self, variables: Mapping[str, Any], log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Applies in the background, with output to a file; an exception in the block stops it."""
        self.set(variables)
        words = self._words("apply", "-auto-approve")
        with log.open("wb") as output:
            options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
            with children.child(words, env=self._environment, **options) as process:
                yield process

    def plan(self, variables: Mapping[str, Any]) -> list[Change]:
        """The changes that apply would make. Raises TerraformError."""
        self.set(variables)
        self.run("plan", "-out=plan")
        changes = json.loads(self.run("show", "-json", "plan"))["resource_changes"]
        acting = [change for change in changes if change["change"]["actions"] not in (["no-op"], ["read"])]
        return [Change(change["address"], tuple(change["change"]["actions"])) for change in acting]

    def destroy(self) -> None:
        """Destroys everything in the state. Raises TerraformError."""
        self.run("destroy", "-auto-approve")

    def outputs(self) -> dict[str, Any]:
        """The outputs' values by name."""
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json")).items()}


def copy(directory: Path, *without: str) -> Path:
    """Copies terraform/ without local files (state, plug-ins, variables), and the file it shares with Ansible."""
    own = (".terraform*", "*.tfstate*", "*.tfvars", "*_override.tf", "*_override.tf.json", "*.tfbackend")
    shutil.copytree(TERRAFORM, directory, ignore=shutil.ignore_patterns(*own, *without))
    topology = directory.parent / TOPOLOGY.relative_to(ROOT)
    topology.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(TOPOLOGY, topology)
    return directory


def emulation(endpoint: str) -> dict[str, Any]:
    """The override for provider 3.39.0 at an endpoint, which is all that differs from terraform/ on AWS."""
    return {
        "terraform": {
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": providers.EMULATED_VERSION}}
        },
        "provider": {
            "aws": {
                # That version doesn't read the endpoint from the environment.
                "endpoints": dict.fromkeys(["ec2", "iam", "s3", "sts"], endpoint),
                "s3_force_path_style": True,
                "skip_credentials_validation": True,
                "skip_metadata_api_check": True,
                "skip_requesting_account_id": True,
            }
        },
        # It lacks resources for a bucket's versions, lock, encryption and life cycle, which were blocks of the bucket.
        "module": {"backup_bucket": {"source": str(ROOT / "tests/terraform/backup_bucket_3x")}},
        # EC2 outside a VPC no longer exists, but that version still needs this argument.
        "resource": {"aws_eip": {"host": {"vpc": True}}},
    }
