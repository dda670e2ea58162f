"""Scanners from Debian that look at a deployed host: nmap and testssl.sh from here, lynis on the host.

`bin/bootstrap scanners` installs all three here. lynis goes to the host as a copy that is removed afterwards.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from xml.etree import ElementTree

from ops import children

#: Severities of testssl.sh that need a fix or a waiver. WARN is about testssl.sh itself.
SERIOUS = ("MEDIUM", "HIGH", "CRITICAL")
#: What is where in Debian's package, and where lynis expects it in a directory of its own.
LYNIS = {"/usr/sbin/lynis": "lynis", "/usr/share/lynis": ".", "/etc/lynis/default.prf": "default.prf"}


def _program(name: str) -> str:
    path = shutil.which(name)
    assert path, f"{name} isn't installed here; run `sh bin/bootstrap scanners`"
    return path


def open_ports(addresses: Iterable[str], ports: str = "1-65535") -> dict[str, set[int]]:
    """Address -> its open TCP ports, by nmap."""
    # Filtered ports don't answer, so the rate and not their silence must set the pace.
    pace = ["-T5", "--min-rate", "5000", "--max-retries", "1"]
    result = children.run([_program("nmap"), "-n", "-Pn", *pace, "-p", ports, "--open", "-oX", "-", *addresses])
    assert result.returncode == 0, result.stderr
    found: dict[str, set[int]] = {address: set() for address in addresses}
    for host in ElementTree.fromstring(result.stdout).iter("host"):  # noqa: S314 - of our own nmap
        address = host.find("address")
        assert address is not None
        for port in host.iter("port"):
            state = port.find("state")
            if state is not None and state.get("state") == "open":
                found[address.attrib["addr"]].add(int(port.attrib["portid"]))
    return found


def tls_findings(address: str, port: int, authority: Path) -> dict[str, str]:
    """testssl.sh's serious findings about a web server: id -> severity and finding."""
    checks = ["--protocols", "--server-defaults", "--server-preference", "--headers", "--vulnerable"]
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        options = ["--quiet", "--warnings", "off", "--color", "0", "--add-ca", str(authority)]
        command = [_program("testssl"), *options, *checks, "--jsonfile", str(report), f"https://{address}:{port}"]
        result = children.run(command)
        assert report.exists(), result.stdout + result.stderr
        entries = json.loads(report.read_text())
    assert len(entries) > 30, f"testssl.sh didn't get far: {result.stdout}"
    return {
        entry["id"]: f"{entry['severity']}: {entry['finding']}" for entry in entries if entry["severity"] in SERIOUS
    }


def lynis_warnings(run: Callable[[list[str], str], str]) -> dict[str, str]:
    """lynis' warnings about a host: id -> text. `run` runs a command as root with that input and returns its output."""
    audit = "./lynis audit system --quick --quiet --no-colors --report-file report.dat --log-file lynis.log"
    script = (
        'set -e; place=$(mktemp -d); trap \'rm -rf "$place"\' EXIT; cd "$place"; base64 -d | tar -xz --no-same-owner; '
        f"mkdir -p plugins; {audit} >/dev/null 2>&1 || true; cat report.dat"  # without plugins it doesn't start
    )
    report = run(["sh", "-c", script], base64.b64encode(_lynis()).decode())
    assert "lynis_version=" in report, report
    assert "finish=true" in report, "lynis didn't finish"
    lines = [
        line.removeprefix("warning[]=").split("|") for line in report.splitlines() if line.startswith("warning[]=")
    ]
    return {line[0]: line[1] for line in lines}


def _lynis() -> bytes:
    """This machine's lynis as an archive."""
    _program("lynis")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for source, name in LYNIS.items():
            tar.add(Path(source).resolve(), arcname=name)
    return archive.getvalue()
