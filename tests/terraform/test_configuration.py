"""The code: format, current schema, tests with a mocked provider, and documentation."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ops import children
from ops.paths import ROOT
from tests.terraform import documentation
from tests.terraform.workspace import TERRAFORM, TerraformError, Workspace

TEST_FILES = sorted(file.name for file in (TERRAFORM / "tests").glob("*.tftest.hcl"))


@pytest.mark.parametrize("sources", [TERRAFORM, ROOT / "tests/terraform"], ids=["terraform", "tests"])
def test_format(sources: Path) -> None:
    result = children.run(["terraform", f"-chdir={sources}", "fmt", "-recursive", "-check", "-diff"])
    assert (result.returncode, result.stdout) == (0, "")


def test_the_current_provider_accepts_it(today: Workspace) -> None:
    assert "The configuration is valid" in today.run("validate")


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ('resource "aws_eip" "x" {\n  vpc = true\n}', "is not expected here"),  # removed in 5.0
        ('resource "aws_vpc" "x" {\n  cidr_block = true\n  arn = "x"\n}', "arn is computed"),
        ('resource "aws_key_pair" "x" {}', '"public_key" is required'),
        ('resource "aws_s3_bucket_versioning" "x" {\n  bucket = "x"\n}', "blocks are required"),
    ],
    ids=["removed", "computed", "missing", "missing block"],
)
def test_the_current_provider_refuses(today: Workspace, resource: str, reason: str) -> None:
    """Otherwise the previous test would prove nothing."""
    wrong = today.directory / "wrong.tf"
    wrong.write_text(resource)
    try:
        with pytest.raises(TerraformError, match=reason):
            today.run("validate")
    finally:
        wrong.unlink()


@pytest.mark.parametrize("file", TEST_FILES)
def test_with_a_mocked_provider(today: Workspace, file: str) -> None:
    report = today.run("test", f"-filter=tests/{file}")
    assert "Success!" in report
    assert "0 passed" not in report


def test_the_emulations_bucket_has_the_same_variables_and_outputs() -> None:
    real, emulated = TERRAFORM / "modules/backup_bucket", ROOT / "tests/terraform/backup_bucket_3x"
    assert documentation.blocks(emulated) == documentation.blocks(real)


def test_everything_that_can_be_tagged_is_tagged(today: Workspace) -> None:
    """A cluster's leftovers are found by their tags."""
    (provider,) = json.loads(today.run("providers", "schema", "-json"))["provider_schemas"].values()
    resources = provider["resource_schemas"]
    taggable = {name for name, schema in resources.items() if "tags" in schema["block"]["attributes"]}
    sources = "\n".join(file.read_text() for file in TERRAFORM.rglob("*.tf"))
    bodies = re.findall(r'^resource "(\w+)" "\w+" \{\n(.*?)^\}', sources, re.DOTALL | re.MULTILINE)
    assert {name for name, _ in bodies} == resources.keys()
    assert [
        name for name, body in bodies if name in taggable and not re.search(r"^  tags +=", body, re.MULTILINE)
    ] == []


def test_the_readmes_tables_match_the_code() -> None:
    assert documentation.current() == documentation.tables(TERRAFORM), "run python -m tests.terraform.documentation"


def test_every_variable_is_typed_described_and_checked() -> None:
    for block in documentation.blocks(TERRAFORM):
        assert block.description, block.name
        if block.kind == "variable":
            assert block.type, block.name
            text = "\n".join(file.read_text() for file in TERRAFORM.glob("variables_*.tf"))
            body = text.split(f'variable "{block.name}" {{')[1].split("\n}")[0]
            assert "validation {" in body or block.type == "bool", block.name
