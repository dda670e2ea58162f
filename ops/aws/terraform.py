"""Runs Terraform on the root module, its progress as hints and its diagnostics as the reason of a failure."""

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

# Interrupted, Terraform waits for what AWS is doing right now and writes it down; cut short it would forget it.
_GRACE_SECONDS = 900.0

#: Losing one of these loses data, an address that people know, or a member of a replica set.
_PRECIOUS = frozenset({"aws_instance", "aws_ebs_volume", "aws_eip", "aws_s3_bucket", "aws_vpc"})


class TerraformError(OpsError):
    """Terraform isn't there, is too old, or refused something that isn't a phase's work."""


@dataclass(frozen=True)
class Plan:
    """A plan as `terraform show -json` gives it."""

    content: dict[str, Any]

    @property
    def changes(self) -> dict[str, list[str]]:
        """Resource address -> actions (create, update, delete), of those that change."""
        actions = {change["address"]: change["change"]["actions"] for change in self._all}
        return {address: verbs for address, verbs in actions.items() if verbs not in (["no-op"], ["read"])}

    @property
    def losses(self) -> list[str]:
        """Addresses of the resources that would be destroyed, or replaced, and are missed by somebody.

        Not of those whose making failed half-way: nobody has used them yet.
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
        """Addresses of the instances that EC2 would stop in order to change their type."""
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
        """Every resource there will be after it, modules' ones too: {type, name, values, ...}."""
        return _resources(self.content.get("planned_values", {}).get("root_module", {}))


def _resources(module: Mapping[str, Any]) -> list[dict[str, Any]]:
    own = list(module.get("resources", []))
    return own + [resource for inner in module.get("child_modules", []) for resource in _resources(inner)]


class Terraform:
    """One environment's state. Each method raises PhaseError with Terraform's own diagnostics when it fails."""

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
        """Gets providers and opens the state: that of secrets/<env>, or a shared one, which a local one moves into."""
        local = secrets_dir(self._env) / "terraform.tfstate"
        shared = tfvars.DIRECTORY / f"{self._env}.s3.tfbackend"
        self._run("init", "-reconfigure", f"-backend-config={shared if shared.exists() else f'path={local}'}")
        if shared.exists() and local.exists():
            self._output("state", "push", str(local))  # refused when the shared one is another or newer
            local.rename(local.with_suffix(".moved"))

    def plan(self, variables: Mapping[str, Any]) -> Plan:
        """Plans with the people's settings and, over them, these variables; `apply` carries just this plan out."""
        own = self._write(variables)
        files = [path for path in (tfvars.path_of(self._env), own) if path.exists()]
        self._run("plan", f"-out={self._plan_file}", *(f"-var-file={path}" for path in files))
        return Plan(json.loads(self._output("show", "-json", str(self._plan_file))))

    def plan_text(self) -> str:
        """The plan for a person."""
        return self._output("show", "-no-color", str(self._plan_file))

    def apply(self) -> None:
        """Carries the last plan out. A failure leaves what was done in the state; the next run goes on from there."""
        self._run("apply", str(self._plan_file))

    def destroy(self, variables: Mapping[str, Any]) -> None:
        """Destroys everything in the state, whatever the people's settings say by now."""
        self._run("destroy", "-auto-approve", f"-var-file={self._write(variables)}")

    def forget(self, address: str) -> None:
        """Takes a resource or module out of the state, so that nothing destroys it."""
        self._output("state", "rm", address)

    def outputs(self) -> dict[str, Any]:
        """The root module's outputs by name; empty before the first apply."""
        return {name: output["value"] for name, output in json.loads(self._output("output", "-json")).items()}

    def resources(self) -> list[dict[str, Any]]:
        """Everything in the state that Terraform made: {address, type, values, ...}."""
        root = json.loads(self._output("show", "-json")).get("values", {}).get("root_module", {})
        return [resource for resource in _resources(root) if resource["mode"] == "managed"]

    def identities(self) -> set[str]:
        """What AWS calls the things in the state: their ids, or the names of what has only that."""
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
        """A verb with machine-readable progress. Reads the stream to its end, whatever it says."""
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
                self._say("\nWaiting until Terraform has written down what AWS is doing; please don't cut it short.")
                raise
        if code != 0:
            raise PhaseError(f"terraform {verb} failed", diagnostics or None)

    def _follow(self, line: str) -> list[str]:
        """Takes a line of progress in; returns what it says went wrong."""
        self._log(line)
        event = _event(line)
        if event.get("type") == "diagnostic" and event["diagnostic"]["severity"] == "error":
            return _explain(event["diagnostic"])
        if event.get("@message"):
            self._hint(event["@message"])
        return []

    def _output(self, *arguments: str) -> str:
        """What a quick verb prints."""
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
    """What was wrong, and where."""
    place = diagnostic.get("range") or {}
    where = f" ({place['filename']}:{place['start']['line']})" if place.get("filename") else ""
    lines = str(diagnostic.get("detail") or "").splitlines()
    return [f"{diagnostic['summary']}{where}", *(f"    {line}" for line in lines if line.strip())]
