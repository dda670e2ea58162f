"""`make audit` tells clean packages from packages about which nobody answered."""

from __future__ import annotations

import json

import pytest

from ops import audit
from ops.audit import Answer
from ops.paths import REQUIREMENTS

CLEAN = {"name": "click", "version": "8.3.0", "vulns": []}
BAD = {"name": "flask", "version": "0.1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.0", "2.0"], "aliases": []}]}
SKIPPED = {"name": "local", "skip_reason": "not found: local (1.0)"}

#: Licences that ask no more than to be named: what is on the hosts may be passed on.
PERMISSIVE = {
    "0BSD",
    "Apache-2.0",
    "BSD License",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "PSF-2.0",
    "Zlib",
}


@pytest.mark.parametrize(
    ("packages", "answer"),
    [
        ([CLEAN], Answer(1)),
        ([CLEAN, BAD], Answer(2, ["flask 0.1: PYSEC-1, fixed in 1.0, 2.0"])),
        ([CLEAN, SKIPPED], Answer(1, [], "1 packages, such as: not found: local (1.0)")),
        ([], Answer()),
    ],
)
def test_pip_audits_answer_is_read(packages: list[object], answer: Answer) -> None:
    assert audit.read_pip_audit(json.dumps({"dependencies": packages, "fixes": []}), "") == answer


@pytest.mark.parametrize("output", ["", "{}", "<html>"])
def test_without_an_answer_the_cause_is_kept(output: str) -> None:
    complaint = "Traceback (most recent call last):\n  File x\nConnectionError: no such host\n"
    assert audit.read_pip_audit(output, complaint) == Answer(unanswered="ConnectionError: no such host")
    assert audit.read_pip_audit(output, "") == Answer(unanswered="no answer")


def test_npms_answer_is_read() -> None:
    report = {"vulnerabilities": {"tar": {"severity": "high"}}, "metadata": {"dependencies": {"total": 7}}}
    assert audit.read_npm_audit(json.dumps(report)) == Answer(7, ["tar: high"])
    refused = {"message": "405 Method Not Allowed", "error": {"summary": ""}}
    assert audit.read_npm_audit(json.dumps(refused)) == Answer(unanswered="405 Method Not Allowed")
    assert audit.read_npm_audit("not JSON") == Answer(unanswered="not JSON")


@pytest.mark.parametrize(
    ("answers", "code", "says"),
    [
        ((Answer(9), Answer(9)), 0, "requirements/app.txt: 9 known"),
        ((Answer(9, ["flask 0.1: X"]), Answer(unanswered="405")), audit.FOUND, "requirements/app.txt: flask 0.1: X"),
        ((Answer(9), Answer(unanswered="405")), audit.UNANSWERED, "package-lock.json: NOT AUDITED: 405"),
        ((Answer(unanswered="offline"), Answer(9)), audit.UNANSWERED, "requirements/dev.txt: NOT AUDITED: offline"),
    ],
)
def test_silence_is_no_success(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: tuple[Answer, Answer],
    code: int,
    says: str,
) -> None:
    monkeypatch.setattr(audit, "_python", lambda lock: answers[0])
    monkeypatch.setattr(audit, "_npm", lambda: answers[1])
    assert audit.audit() == code
    assert says in capsys.readouterr().out


def test_what_the_hosts_get_is_under_permissive_licences() -> None:
    names = audit.locked(REQUIREMENTS / "app.txt")
    found = audit.licences(names)
    assert len(names) > 20
    assert sum(map(len, found.values())) >= len(names) - 2  # two are for Windows
    others = {
        licence: of
        for licence, of in found.items()
        if not {part for word in licence.split(" AND ") for part in word.split(" OR ")} <= PERMISSIVE
    }
    assert others == {}
