"""checkov's findings in terraform/ are exactly those in checkov.yml, each of which has a reason to stay."""

from __future__ import annotations

import json
import os
from pathlib import Path

import yaml

from ops import children
from ops.environments import programs
from tests.terraform.workspace import TERRAFORM, copy

WAIVERS = Path(__file__).with_name("checkov.yml")
NOWHERE = "http://127.0.0.1:9"  # nobody listens: checkov needs no network


def findings(sources: Path) -> set[tuple[str, str]]:
    """(check, resource) of each check that failed."""
    command = [str(programs("scanners") / "checkov"), "--directory", str(sources), "--framework", "terraform"]
    command += ["--skip-download", "--quiet", "--compact", "--output", "json"]
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("BC_", "PRISMA_", "CKV_"))}
    result = children.run(command, env=own | proxies)
    assert result.returncode in (0, 1), result.stderr
    report = json.loads(result.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 40
    return {(check["check_id"], check["resource"]) for check in report["results"]["failed_checks"]}


def test_every_finding_has_a_reason_to_stay_and_every_reason_a_finding() -> None:
    waivers = yaml.safe_load(WAIVERS.read_text())
    assert all(len(waiver["reason"]) > 20 for waiver in waivers.values())
    assert findings(TERRAFORM) == {(name, at) for name, waiver in waivers.items() for at in waiver["resources"]}


def test_it_finds_a_hole(tmp_path: Path) -> None:
    sources = copy(tmp_path / "terraform", "tests")
    hosts = sources / "hosts.tf"
    text = hosts.read_text()
    hosts.write_text(
        text.replace('http_tokens                 = "required"', 'http_tokens                 = "optional"')
    )
    assert hosts.read_text() != text
    before = set(yaml.safe_load(WAIVERS.read_text()))
    assert {name for name, _ in findings(sources)} - before == {"CKV_AWS_79"}
