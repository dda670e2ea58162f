"""The variables that people set for Terraform, in terraform/environments/<env>.tfvars.

Standard library only, because ops/preflight.py reads them before anything is installed.
"""

from __future__ import annotations

import re
from pathlib import Path

from ops.paths import ROOT

MODULE = ROOT / "terraform"

#: Holds <env>.tfvars, and <env>.s3.tfbackend where a team shares the state.
DIRECTORY = MODULE / "environments"


def path_of(env: str) -> Path:
    return DIRECTORY / f"{env}.tfvars"


def read(env: str) -> dict[str, str]:
    """The top-level variables, each with what follows it on its line."""
    text = path_of(env).read_text() if path_of(env).exists() else ""
    outside_objects = re.sub(r"\{[^{}]*\}", "{}", text)
    return dict(re.findall(r"^\s*(\w+)\s*=\s*(.*?)\s*(?:(?:#|//).*)?$", outside_objects, re.MULTILINE))
