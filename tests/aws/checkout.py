"""A checkout of its own for a run of the production path: nobody's state, keys or settings are touched.

It differs from the repository in two things alone: where Terraform finds its provider, and where AWS is
(tests/terraform/workspace.py says what the old provider that an emulation needs can't say).
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

#: What other projects leave in people's shells; none of it may reach Terraform.
LEFTOVERS = {"TF_CLI_ARGS": "-no-such-option", "TF_WORKSPACE": "other", "TF_DATA_DIR": "/nonexistent", "TF_INPUT": "1"}


@dataclass(frozen=True)
class Checkout:
    """`directory` is a copy of the repository; `variables` the environment in which people would work there."""

    directory: Path
    variables: Mapping[str, str]

    @classmethod
    def make(cls, directory: Path, aws: Mapping[str, str]) -> Checkout:
        """Copies the repository's files; `aws` is the environment that leads to an emulated AWS."""
        repository.copy_to(directory)
        shutil.rmtree(directory / "terraform" / "tests")  # they load today's module of the bucket
        override = json.dumps(emulation(aws["AWS_ENDPOINT_URL"]), indent=2)
        (directory / "terraform" / "emulation_override.tf.json").write_text(override)
        settings = directory / "terraformrc"
        settings.write_text(
            f'provider_installation {{ filesystem_mirror {{ path = "{providers.emulated_mirror()}" }} }}'
        )
        return cls(directory, {**os.environ, **LEFTOVERS, "TF_CLI_CONFIG_FILE": str(settings), **aws})

    def with_variables(self, variables: Mapping[str, str]) -> Checkout:
        """The same place in another environment."""
        return Checkout(self.directory, variables)

    def make_target(self, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs `make TARGET ENV=aws VARIABLE=value ...` to its end, whatever that is."""
        with self.begin(target, **variables) as process:
            output, _ = process.communicate()
        print(output)
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    @contextmanager
    def begin(self, target: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """Starts `make TARGET ENV=aws ...`; interrupts it as Ctrl-C would when the block ends before it does."""
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
        """Ends everything that runs in here at once, Terraform and its provider too, as a power cut would."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").resolve().is_relative_to(self.directory):
                    os.kill(int(process.name), signal.SIGKILL)
            except (ProcessLookupError, FileNotFoundError, PermissionError):
                continue  # it ended meanwhile
