"""A separate checkout for running the production path, so that no state, keys or settings are changed.

It differs from the repository only in Terraform's provider and AWS's address (and in what the emulation's old provider
lacks: see tests/terraform/workspace.py).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import repository
from tests.terraform import providers
from tests.terraform.workspace import emulation

#: Variables from other projects, which must not reach Terraform.
LEFTOVERS = {"TF_CLI_ARGS": "-no-such-option", "TF_WORKSPACE": "other", "TF_DATA_DIR": "/nonexistent", "TF_INPUT": "1"}


@dataclass(frozen=True)
class Checkout:
    """`directory` is a copy of the repository; `variables` is the user's environment."""

    directory: Path
    variables: Mapping[str, str]

    @classmethod
    def make(cls, directory: Path, aws: Mapping[str, str]) -> Checkout:
        """Copies the repository's files; `aws` are the environment variables for an emulated AWS."""
        repository.copy_to(directory)
        shutil.rmtree(directory / "terraform" / "tests")  # they use today's bucket module
        override = json.dumps(emulation(aws["AWS_ENDPOINT_URL"]), indent=2)
        (directory / "terraform" / "emulation_override.tf.json").write_text(override)
        settings = directory / "terraformrc"
        settings.write_text(
            f'provider_installation {{ filesystem_mirror {{ path = "{providers.emulated_mirror()}" }} }}'
        )
        return cls(directory, {**os.environ, **LEFTOVERS, "TF_CLI_CONFIG_FILE": str(settings), **aws})

    def add_group_variables(self, **variables: object) -> None:
        """Variables of roles, as an operator may add them in the clone."""
        (self.directory / "ansible/group_vars/all/added.yml").write_text(json.dumps(variables))

    def with_variables(self, variables: Mapping[str, str]) -> Checkout:
        """The same checkout with another environment."""
        return Checkout(self.directory, variables)

    def make_target(self, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs `make TARGET ENV=aws VARIABLE=value ...`; any exit code is returned."""
        with self.begin(target, **variables) as process:
            output, _ = process.communicate()
        print(output)
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    @contextmanager
    def begin(self, target: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """Starts `make TARGET ENV=aws ...`; interrupts it like Ctrl-C if it outlives the block."""
        words = ["make", "--no-print-directory", target, "ENV=aws", *(f"{k}={v}" for k, v in variables.items())]
        with subprocess.Popen(
            words,
            cwd=self.directory,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kills all processes in this directory, including Terraform and its provider, like a power cut."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").resolve().is_relative_to(self.directory):
                    os.kill(int(process.name), signal.SIGKILL)
            except (ProcessLookupError, FileNotFoundError, PermissionError):
                continue  # it ended meanwhile
