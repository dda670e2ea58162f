"""`make audit`: known vulnerabilities of everything that is locked, and licences.

pip-audit and npm audit ask advisory services, which not every index has. Packages that a service doesn't know are
reported as not audited, and so are all if it doesn't answer.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from ops import children
from ops.environments import programs
from ops.paths import REQUIREMENTS, ROOT

NPM = REQUIREMENTS / "lighthouse"
FOUND, UNANSWERED = 1, 3  # exit codes
_SAID = 200  # characters of a service's complaint
#: Licences by the classifiers and names that packages give, where there is a standard expression.
_SAME = {
    "MIT License": "MIT",
    "The MIT License (MIT)": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
}


@dataclass
class Answer:
    """What a service said about a lock file: the number of packages it knows, what is wrong, or why it said nothing."""

    known: int = 0
    vulnerabilities: list[str] = field(default_factory=list)
    unanswered: str = ""


def audit() -> int:
    """Prints the licences and what is known; returns 0 for nothing, FOUND, or UNANSWERED if a service kept silent."""
    print("Licences of what the hosts get:")
    for licence, names in sorted(licences(locked(REQUIREMENTS / "app.txt")).items()):
        print(f"  {licence}: {', '.join(names)}")
    answers = {str(lock.relative_to(ROOT)): _python(lock) for lock in sorted(REQUIREMENTS.glob("*.txt"))}
    answers[str((NPM / "package-lock.json").relative_to(ROOT))] = _npm()
    print("Known vulnerabilities:")
    for name, answer in answers.items():
        for problem in answer.vulnerabilities:
            print(f"  {name}: {problem}")
        print(f"  {name}: " + (f"NOT AUDITED: {answer.unanswered}" if answer.unanswered else f"{answer.known} known"))
    if any(answer.vulnerabilities for answer in answers.values()):
        return FOUND
    if any(answer.unanswered for answer in answers.values()):
        print("An advisory service didn't answer, so this says nothing about those packages.", file=sys.stderr)
        return UNANSWERED
    return 0


def locked(lock: Path) -> list[str]:
    """The names in a lock file."""
    return list(dict.fromkeys(re.findall(r"^([\w.-]+)==", lock.read_text(), re.MULTILINE)))


def licences(names: Iterable[str]) -> dict[str, list[str]]:
    """Licence -> those of the packages that are installed here, as they declare it or by the first line of it."""
    found: dict[str, list[str]] = {}
    for name in names:
        try:
            found.setdefault(_licence(metadata.distribution(name)), []).append(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform
    return found


def _licence(package: metadata.Distribution) -> str:
    about: Any = package.metadata
    classified = [entry.split(" :: ")[-1] for entry in about.get_all("Classifier") or [] if entry.startswith("License")]
    first_line = (about.get("License") or "").strip().splitlines()[:1]
    texts = [package.read_text(f"licenses/{file}") or "" for file in about.get_all("License-File") or []]
    titles = [text.strip().splitlines()[0] for text in texts if text.strip()]
    given = about.get("License-Expression") or next(iter(classified or first_line or titles), "unknown")
    return _SAME.get(given, given)


def _python(lock: Path) -> Answer:
    options = ["--format=json", "--progress-spinner=off", "--disable-pip", "--no-deps", f"--requirement={lock}"]
    result = children.run([str(programs("scanners") / "pip-audit"), *options])
    return read_pip_audit(result.stdout, result.stderr)


def read_pip_audit(output: str, complaint: str) -> Answer:
    """An answer from pip-audit's JSON. It skips packages that its service doesn't know, and still succeeds."""
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError):
        return Answer(unanswered=_short(complaint))
    skipped = [package for package in packages if "skip_reason" in package]
    problems = [
        f"{package['name']} {package['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'none'}"
        for package in packages
        for found in package.get("vulns", [])
    ]
    reason = f"{len(skipped)} packages, such as: {skipped[0]['skip_reason']}" if skipped else ""
    return Answer(len(packages) - len(skipped), problems, reason)


def _npm() -> Answer:
    if not shutil.which("npm"):
        return Answer(unanswered="npm isn't installed")
    return read_npm_audit(children.run(["npm", "audit", "--package-lock-only", "--json"], cwd=NPM).stdout)


def read_npm_audit(output: str) -> Answer:
    """An answer from npm's JSON."""
    try:
        report = json.loads(output)
    except ValueError:
        return Answer(unanswered=_short(output))
    if "vulnerabilities" not in report:
        return Answer(unanswered=_short(report.get("message") or str(report.get("error") or report)))
    problems = [f"{name}: {entry['severity']}" for name, entry in report["vulnerabilities"].items()]
    return Answer(report["metadata"]["dependencies"]["total"], problems)


def _short(text: str) -> str:
    """The last line of a complaint: a traceback's cause."""
    lines = text.strip().splitlines() or ["no answer"]
    return lines[-1][:_SAID]
