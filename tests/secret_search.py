"""Looks for secrets where they must not be: logs, command lines, files that everybody may read.

Standard library only: `on_host` sends this file itself to the hosts. The secrets go there on standard input, never on a
command line.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import stat
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Needles = dict[str, str]  # what must not be found -> the name of the secret

CHUNK = 1 << 20  # bytes
SHORTEST = 16  # characters of a line that is certainly a secret
KEY_LINES = 2  # at a private key's end: before, there are its constant beginning and its public part

# On a host. Files that everybody may read; and files of any mode that a run writes without keeping secrets in mind.
READABLE = ("/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr/local", "/var")  # noqa: S108
WRITTEN = ("/var/log", "/root", "/home")  # Ansible works in the home directories


# -- what to look for


def needles(directory: Path) -> Needles:
    """What gives away each secret in secrets/<environment>: passwords, plain and in base64, and lines of keys."""
    found: Needles = {}
    for path in sorted(directory.iterdir()):
        text = path.read_text(errors="replace") if path.is_file() else ""
        if path.name == "passwords.yml":
            for name, value in re.findall(r"^(\w+): *['\"]?([^'\"\n]+)['\"]?$", text, re.MULTILINE):
                found |= {value: name, base64.b64encode(value.encode()).decode().rstrip("="): name}
        elif path.name == "keyfile":
            found |= {line: path.name for line in text.split() if len(line) >= SHORTEST}
        elif path.name == "backup.key":
            found[text.split()[-1]] = path.name
        elif "PRIVATE KEY" in text:
            body = [line for line in text.splitlines() if line and not line.startswith("-----")]
            found |= {line: path.name for line in body[-KEY_LINES:] if len(line) >= SHORTEST}
    return found


# -- where


def search_files(secrets: Needles, files: Iterator[Path]) -> list[str]:
    """ "file: secret" for each of the files that has one; also inside gzip. Unreadable files are an error."""
    found = []
    for path in files:
        with suppress(FileNotFoundError):  # removed since it was listed
            found += [f"{path}: {name}" for name in sorted(_names_in_file(secrets, path))]
    return found


def _names_in_file(secrets: Needles, path: Path) -> set[str]:
    with path.open("rb") as file:
        names = names_in(secrets, file)
        file.seek(0)
        if file.read(2) == b"\x1f\x8b":
            with suppress(EOFError, OSError, zlib.error), gzip.open(path) as unpacked:  # it may only look like one
                names |= names_in(secrets, unpacked)
    return names


def names_in(secrets: Needles, file: Any) -> set[str]:
    """The secrets that a file has, read in pieces."""
    if not secrets:
        return set()
    pattern = re.compile("|".join(map(re.escape, secrets)).encode())
    overlap = max(map(len, secrets)) - 1
    found, rest = set(), b""
    while chunk := file.read(CHUNK):
        found |= {secrets[match.decode()] for match in pattern.findall(rest + chunk)}
        rest = (rest + chunk)[-overlap:]
    return found


def files_below(*roots: str | Path, readable_only: bool = False) -> Iterator[Path]:
    """The regular files below directories; with `readable_only` those that every user can read."""
    for root in roots:
        for directory, inner, names in os.walk(root):
            if readable_only:
                inner[:] = [name for name in inner if _others(Path(directory, name), stat.S_IXOTH)]
            for path in (Path(directory, name) for name in names):
                regular = not path.is_symlink() and path.is_file()
                if regular and (not readable_only or _others(path, stat.S_IROTH)):
                    yield path


def _others(path: Path, right: int) -> bool:
    try:
        return bool(path.lstat().st_mode & right)
    except FileNotFoundError:
        return False


def search_processes(secrets: Needles, proc: Path = Path("/proc")) -> list[str]:
    """Secrets in command lines, and processes whose environment others may read, as "process: ..."."""
    found = []
    for process in (path for path in proc.iterdir() if path.name.isdecimal()):
        try:
            command = (process / "cmdline").read_bytes()
            open_to_others = (process / "environ").stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        program = command.split(b"\0")[0].decode(errors="replace")
        found += [f"process {program}: {name}" for secret, name in secrets.items() if secret.encode() in command]
        found += [f"process {program}: environment"] if open_to_others else []
    return sorted(set(found))


@contextmanager
def watched(secrets: Needles, every: float = 0.3) -> Iterator[set[str]]:
    """Looks at this machine's command lines all the time, local hosts' included; gives what it has found so far.

    A program that runs for less than `every` seconds may be missed.
    """
    found: set[str] = set()
    end = threading.Event()

    def look() -> None:
        while not end.wait(every):
            found.update(line for line in search_processes(secrets) if not line.endswith(": environment"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        end.set()
        thread.join()


def search_journal(secrets: Needles) -> list[str]:
    """Secrets in systemd's journal."""
    command = ["journalctl", "--no-pager", "--quiet", "--all", "--output=json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as journal:
        assert journal.stdout is not None
        return [f"journal: {name}" for name in sorted(names_in(secrets, journal.stdout))]


def search_host(secrets: Needles, readable: list[str], written: list[str]) -> list[str]:
    """All of the above, on a host and as root."""
    found = search_files(secrets, files_below(*readable, readable_only=True))
    found += search_files(secrets, files_below(*written))
    return sorted({*found, *search_processes(secrets), *search_journal(secrets)})


def search_clone(secrets: Needles, root: Path, env: str) -> list[str]:
    """What runs leave behind on the controller, what git has, and files that other users can read."""
    left = [root / "logs", root / "build" / env, root / ".cache" / "ansible"]
    state = [path for path in [root / "secrets" / env / "terraform.tfstate"] if path.exists()]
    command = ["git", "-C", str(root), "ls-files", "-z"]
    tracked = subprocess.run(command, check=False, capture_output=True).stdout.decode().split("\0")[:-1]
    files = [*files_below(*left), *state, *(root / name for name in tracked if (root / name).is_file())]
    files += files_below(root / "secrets", readable_only=True)
    return search_files(secrets, iter(sorted(set(files))))


# -- on a host

_START = "import json, sys; given = json.load(sys.stdin); exec(given['program'], {'__name__': 'sent', 'given': given})"


def on_host(
    secrets: Needles,
    run: Callable[[list[str], str], str],
    readable: tuple[str, ...] = READABLE,
    written: tuple[str, ...] = WRITTEN,
) -> list[str]:
    """`search_host` on a host, where `run` runs a command as root with that input and returns its output."""
    call = "search_host(given['secrets'], given['readable'], given['written'])"
    program = f"{Path(__file__).read_text()}\nprint(json.dumps({call}))\n"
    given = {"program": program, "secrets": secrets, "readable": readable, "written": written}
    found: list[str] = json.loads(run(["python3", "-c", _START], json.dumps(given)))
    return found
