"""Runs Terraform on the root module. Its progress becomes hints, its diagnostics the reason for a failure."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.aws import tfvars
from ops.children import child
from ops.errors import OpsError
from ops.paths import build_dir, secrets_dir
from ops.progress import PhaseError, Progress, quiet

# After an interrupt Terraform waits for running requests to AWS and records them; if killed, it loses track of them.
_GRACE_SECONDS = 900.0

#: Destroying one of these loses data, a known address, or a replica set member.
_PRECIOUS = frozenset({"aws_instance", "aws_ebs_volume", "aws_eip", "aws_s3_bucket", "aws_vpc"})


class TerraformError(OpsError):
    """A quick Terraform command failed; the message has its reason."""


@dataclass(frozen=True)
class Plan:
    """A plan as `terraform show -json` gives it."""

    content: dict[str, Any]

    @property
    def changes(self) -> dict[str, list[str]]:
        """Resource address -> actions (create, update, delete), for resources that change."""
        actions = {change["address"]: change["change"]["actions"] for change in self._all}
        return {address: verbs for address, verbs in actions.items() if verbs not in (["no-op"], ["read"])}

    @property
    def losses(self) -> list[str]:
        """Addresses of precious resources that would be destroyed or replaced.

        Without those whose creation failed half-way: nobody has used them yet.
        """
        return [
            change["address"]
            for change in self._all
            if "delete" in change["change"]["actions"]
            and change["type"] in _PRECIOUS
            and change.get("action_reason") != "replace_because_tainted"
        ]

    @property
    def stops(self) -> list[str]:
        """Addresses of instances that EC2 would stop to change their type."""
        return [
            change["address"]
            for change in self._all
            if change["type"] == "aws_instance"
            and change["change"]["actions"] == ["update"]
            and change["change"]["before"]["instance_type"] != change["change"]["after"]["instance_type"]
        ]

    @property
    def _all(self) -> list[dict[str, Any]]:
        return list(self.content.get("resource_changes", []))

    @property
    def planned(self) -> list[dict[str, Any]]:
        """All resources after the plan is applied, including modules': {type, name, values, ...}."""
        return _resources(self.content.get("planned_values", {}).get("root_module", {}))


def _resources(module: Mapping[str, Any]) -> list[dict[str, Any]]:
    own = list(module.get("resources", []))
    return own + [resource for inner in module.get("child_modules", []) for resource in _resources(inner)]


class Terraform:
    """One environment's state. Methods raise PhaseError with Terraform's diagnostics, or TerraformError."""

    def __init__(self, env: str, progress: Progress | None = None) -> None:
        self._env = env
        self._log = progress.log if progress else quiet
        self._hint = progress.hint if progress else quiet
        self._say = progress.say if progress else quiet
        self._build = build_dir(env)
        self._build.mkdir(parents=True, exist_ok=True)
        self._plan_file = self._build / "terraform.plan"
        self._environment = os.environ | {
            "TF_DATA_DIR": str(self._build / "terraform"),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
        }

    def init(self) -> None:
        """Installs providers and opens the state: secrets/<env>'s, or the shared one, to which a local one is moved."""
        local = secrets_dir(self._env) / "terraform.tfstate"
        shared = tfvars.DIRECTORY / f"{self._env}.s3.tfbackend"
        self._run("init", "-reconfigure", f"-backend-config={shared if shared.exists() else f'path={local}'}")
        if shared.exists() and local.exists():
            self._output("state", "push", str(local))  # refused if the shared state is another one or newer
            local.rename(local.with_suffix(".moved"))

    def plan(self, variables: Mapping[str, Any]) -> Plan:
        """Plans with aws.tfvars, overridden by `variables`; `apply` executes exactly this plan."""
        own = self._write(variables)
        files = [path for path in (tfvars.path_of(self._env), own) if path.exists()]
        self._run("plan", f"-out={self._plan_file}", *(f"-var-file={path}" for path in files))
        return Plan(json.loads(self._output("show", "-json", str(self._plan_file))))

    def plan_text(self) -> str:
        """The plan as text."""
        return self._output("show", "-no-color", str(self._plan_file))

    def apply(self) -> None:
        """Executes the last plan. On failure the state has what was done; the next run continues from there."""
        self._run("apply", str(self._plan_file))

    def destroy(self, variables: Mapping[str, Any]) -> None:
        """Destroys everything in the state, regardless of aws.tfvars."""
        self._run("destroy", "-auto-approve", f"-var-file={self._write(variables)}")

    def forget(self, address: str) -> None:
        """Removes a resource or module from the state, so that it isn't destroyed."""
        self._output("state", "rm", address)

    def outputs(self) -> dict[str, Any]:
        """The root module's outputs by name; empty before the first apply."""
        return {name: output["value"] for name, output in json.loads(self._output("output", "-json")).items()}

    def resources(self) -> list[dict[str, Any]]:
        """All managed resources in the state: {address, type, values, ...}."""
        root = json.loads(self._output("show", "-json")).get("values", {}).get("root_module", {})
        return [resource for resource in _resources(root) if resource["mode"] == "managed"]

    def identities(self) -> set[str]:
        """AWS's identifiers of the resources in the state: ids, or names where there is no id."""
        fields = ("id", "key_pair_id")  # a key pair's `id` is its name
        found = (resource.get("values", {}).get(field) for resource in self.resources() for field in fields)
        return {str(identity) for identity in found if identity}

    def _write(self, variables: Mapping[str, Any]) -> Path:
        path = self._build / "terraform.tfvars.json"
        path.write_text(json.dumps(variables, indent=2) + "\n")
        return path

    def _command(self, *arguments: str) -> list[str]:
        return ["terraform", f"-chdir={tfvars.MODULE}", *arguments]

    def _run(self, verb: str, *arguments: str) -> None:
        """Runs a command with machine-readable progress."""
        self._log(f"terraform {verb}")
        diagnostics: list[str] = []
        with child(
            self._command(verb, "-json", "-input=false", *arguments),
            grace=_GRACE_SECONDS,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                for line in process.stdout or []:
                    diagnostics += self._follow(line)
                code = process.wait()
            except KeyboardInterrupt:
                self._say("\nWaiting until Terraform has recorded what AWS is doing; please don't kill it.")
                raise
        if code != 0:
            raise PhaseError(f"terraform {verb} failed", diagnostics or None)

    def _follow(self, line: str) -> list[str]:
        """Logs a line of progress and shows it as a hint; returns the lines of an error."""
        self._log(line)
        event = _event(line)
        if event.get("type") == "diagnostic" and event["diagnostic"]["severity"] == "error":
            return _explain(event["diagnostic"])
        if event.get("@message"):
            self._hint(event["@message"])
        return []

    def _output(self, *arguments: str) -> str:
        """The output of a quick command."""
        result = subprocess.run(
            self._command(*arguments), check=False, capture_output=True, text=True, env=self._environment
        )
        if result.returncode != 0:
            raise TerraformError(f"terraform {' '.join(arguments[:2])}: {result.stderr.strip()}")
        return result.stdout


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return {"@message": line.strip()}
    return event if isinstance(event, dict) else {}


def _explain(diagnostic: Mapping[str, Any]) -> list[str]:
    """What went wrong, and where."""
    place = diagnostic.get("range") or {}
    where = f" ({place['filename']}:{place['start']['line']})" if place.get("filename") else ""
    lines = str(diagnostic.get("detail") or "").splitlines()
    return [f"{diagnostic['summary']}{where}", *(f"    {line}" for line in lines if line.strip())]
