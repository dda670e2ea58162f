"""`make doctor`: reports what this machine has, what is missing, what gets in the way, and how to fix it.

Standard library only: it runs with the system's Python before anything is installed. It changes nothing.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ops import preflight, system
from ops.errors import OpsError
from ops.paths import LOGS, ROOT
from ops.settings import LOCAL_SUBNETS, Settings, SettingsError

#: Programs, their option that prints the version, and their purpose.
TOOLS = {
    "make": ("--version", "every target"),
    "git": ("--version", "fetching the project"),
    "ssh": ("-V", "reaching hosts"),
    "podman": ("--version", "local hosts"),
    "crun": ("--version", "local hosts"),
    "mmdebstrap": ("--version", "the hosts' image"),
    "apt-ftparchive": ("--version", "the offline mirror"),
    "gpg": ("--version", "the offline mirror"),
    "terraform": ("version", "ENV=aws"),
    "chromium": ("--version", "make test"),
}
#: Open files that the tests' mongods need, with some margin.
ENOUGH_FILES = 4096
#: Programs that bin/bootstrap doesn't install.
_BY_HAND = {
    "make": "apt-get install make",
    "git": "only needed to clone",
    "terraform": "only for ENV=aws: developer.hashicorp.com/terraform/install",
}

#: Variables that would affect the project's tools if bin/shell passed them on.
_RELEVANT = re.compile(r"(ANSIBLE|MOLECULE|PYTHON|PIP|TF|AWS|LC|GIT|CONTAINER|DOCKER|PODMAN|PYTEST|CONDA|GREP)S?_\w+")
_ALSO_RELEVANT = {"PYTHONPATH", "PYTHONHOME", "SSH_AUTH_SOCK", "CDPATH", "BASH_ENV", "GNUPGHOME"}


@dataclass(frozen=True)
class Finding:
    """A line of the report. `mark` is `ok`, `note` or `FAIL` (make cluster-up won't work); `remedy` may be empty."""

    mark: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.mark:<5} {self.text}" + (f"\n      -> {self.remedy}" if self.remedy else "")


def examine() -> Iterator[Finding]:
    """All findings, in the order of the report."""
    yield from _project()
    yield from _machine()
    yield from _tools()
    yield from _shell()
    yield from _obstacles()


def _project() -> Iterator[Finding]:
    commit = "an unpacked archive"
    if (ROOT / ".git").exists() and shutil.which("git"):
        # git refuses another user's clone unless told that it is safe.
        commit = _output("git", "-c", "safe.directory=*", "-C", str(ROOT), "describe", "--always", "--dirty")
    yield Finding("ok", f"project    {commit} in {ROOT}")
    python = ROOT / ".venv" / "bin" / "python"
    version = _output(str(python), "--version") if python.exists() else ""
    yield Finding(
        "ok", f"python     {sys.version.split()[0]} ({sys.executable}); .venv: {version or 'not created yet'}"
    )
    logs = sorted(LOGS.glob("*.log"), key=lambda path: path.stat().st_mtime)
    if logs:
        yield Finding("ok", f"last log   {logs[-1].relative_to(ROOT)}", "attach it to bug reports; read it first")


def _machine() -> Iterator[Finding]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield Finding("ok", f"system     {_system()}, {platform.machine()}, Linux {platform.release()}{_virtual()}")
    yield Finding("ok", f"size       {os.cpu_count()} processors, {memory:.1f} GB of memory")
    for directory in dict.fromkeys((ROOT, Path(tempfile.gettempdir()), preflight.CONTAINER_STORAGE)):
        yield Finding("ok", f"disk       {preflight.free_mb(directory) / 1024:.1f} GB free for {directory}")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files < ENOUGH_FILES:
        yield Finding("note", f"files      at most {files} open at once", f"set `ulimit -Hn` to {ENOUGH_FILES} or more")
    yield Finding("ok", f"user       {os.environ.get('USER') or os.getuid()}, {_root()}")


def _tools() -> Iterator[Finding]:
    for tool, (option, purpose) in TOOLS.items():
        if shutil.which(tool):
            yield Finding("ok", f"{tool:<10} {_output(tool, option)}")
        else:
            yield Finding("note", f"{tool:<10} missing ({purpose})", _BY_HAND.get(tool, "installed when needed"))


def _shell() -> Iterator[Finding]:
    ignored = os.environ.get("FILM_LIBRARY_IGNORED", "").split()
    relevant = sorted(name for name in ignored if _RELEVANT.fullmatch(name) or name in _ALSO_RELEVANT)
    if relevant:
        yield Finding("note", f"shell      not passed on by make: {' '.join(relevant)}", "bin/shell has the list")
    proxies = sorted(name for name in os.environ if name.lower().endswith("_proxy") and name.lower() != "no_proxy")
    if proxies:
        yield Finding("note", f"proxy      {' '.join(proxies)}", "used for package registries, never for hosts")


def _obstacles() -> Iterator[Finding]:
    """What make cluster-up and make try-host would refuse, and which clusters exist."""
    try:
        settings = preflight.check(os.environ)
        if settings.env != "aws" and (warning := system.of_hosts().warning):
            yield Finding("note", warning)
        yield Finding("ok", f"make cluster-up ENV={settings.env} can run")
        yield Finding("ok", "make try-host proves it: it builds one small host, connects to it and removes it")
    except SettingsError as error:
        for problem in error.problems:
            yield Finding("FAIL", problem.replace("\n", "\n      "))
    except OpsError as error:
        yield Finding("FAIL", str(error))
        return
    if preflight.can_be_root():
        try:
            yield from _clusters()
        except OpsError as error:
            yield Finding("FAIL", str(error), "podman doesn't work here: make try-host")


def _clusters() -> Iterator[Finding]:
    for env in LOCAL_SUBNETS:
        found = preflight.existing(Settings.read({"ENV": env}))
        if found:
            states = ", ".join(f"{host} {container.state}" for host, container in sorted(found.items()))
            yield Finding("ok", f"hosts of ENV={env}: {states}", f"make cluster-status ENV={env}")


def _system() -> str:
    """The system's name."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:  # not Linux
        return platform.system()


def _virtual() -> str:
    """Such as ", microsoft (wsl)"; empty on bare metal or if unknown."""
    kind = _output("systemd-detect-virt") if shutil.which("systemd-detect-virt") else ""
    return f", {kind}" if kind not in ("", "none") else ""


def _root() -> str:
    if os.geteuid() == 0:
        return "root"
    return "sudo without a password" if preflight.can_be_root() else "no sudo without a password"


def _output(*command: str) -> str:
    """The first line of a program's output; ssh and others print their version to stderr."""
    result = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    output = result.stdout.strip() or (result.stderr.strip() if result.returncode == 0 else "")
    return (output.splitlines() or ["unknown"])[0]


def main() -> None:
    """Prints the report; exits with 1 if make cluster-up won't work."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `make doctor | head`
    findings = []
    for finding in examine():
        print(finding, flush=True)
        findings.append(finding)
    sys.exit(any(finding.mark == "FAIL" for finding in findings))
