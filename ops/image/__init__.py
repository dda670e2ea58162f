"""The image that every local host starts from, built out of the machine's own apt sources."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import tempfile
from pathlib import Path

from ops import podman
from ops.paths import CACHE

_CONTEXT = Path(__file__).parent
_NAME = "localhost/film-library-host"

#: What the roles install on a host, downloaded into the image beforehand; a name that the distribution
#: lacks is left out.
DOWNLOAD = (
    "acl",
    "chrony",
    "curl",
    "libcurl4",
    "libssl3",
    "logrotate",
    "nginx-light",
    "python3.11",
    "python3.11-venv",
    "python3-venv",
    "tzdata",
    "xfsprogs",
)

_KEYRINGS = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}


class ImageError(RuntimeError):
    """The image can't be built; the message holds the reason."""


def ensure() -> str:
    """The name of the hosts' image, built when its inputs changed. Raises ImageError or podman.PodmanError."""
    sources = _apt_sources()
    tag = f"{_NAME}:{_digest(sources)}"
    if podman.run("image", "exists", tag, check=False).returncode != 0:
        _build(tag, sources)
    return tag


def _digest(sources: list[str]) -> str:
    digest = hashlib.sha256("\n".join([*sources, *DOWNLOAD]).encode())
    for file in sorted(_CONTEXT.iterdir()):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _apt_sources() -> list[str]:
    """Lines for sources.list: the distribution's own repositories, as this machine reaches them."""
    distribution = platform.freedesktop_os_release()["ID"]
    targets = subprocess.run(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)",
            "Created-By: Packages",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = []
    for target in targets.splitlines():
        origin, uri, release, component = target.split("|")
        if origin.lower() == distribution:
            lines.append(f"deb [signed-by={_KEYRINGS[distribution]}] {uri} {release} {component}")
    if not lines:
        raise ImageError(f"apt knows no repository of {distribution}; run `apt-get update` and try again")
    return lines


def _apt_options() -> list[str]:
    """How this machine's apt reaches its repositories: proxies and, for a snapshot, no check of dates."""
    dump = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
    wanted = ("Acquire::Check-", "Acquire::http::Proxy", "Acquire::https::Proxy")
    return [line.rstrip(";") for line in dump.splitlines() if line.startswith(wanted)]


def _build(tag: str, sources: list[str]) -> None:
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    base = f"localhost/film-library-base:{_digest(sources)}"
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="image.") as scratch:
        rootfs = Path(scratch) / "rootfs.tar"
        _bootstrap(codename, sources, rootfs)
        podman.run("import", "--quiet", str(rootfs), base)
    arguments = ["--build-arg", f"BASE={base}", "--build-arg", f"DOWNLOAD={' '.join(_available(DOWNLOAD))}"]
    podman.run("build", "--quiet", "--pull=never", "--format", "docker", *arguments, "--tag", tag, str(_CONTEXT))


def _bootstrap(codename: str, sources: list[str], rootfs: Path) -> None:
    command = podman.as_root("mmdebstrap", "--quiet", "--format=tar", "--variant=minbase", "--mode=root")
    options = ['APT::Install-Recommends "false"', 'Acquire::Languages "none"', *_apt_options()]
    command += [f"--aptopt={option}" for option in options]
    command += [f"--dpkgopt=path-exclude=/usr/share/{directory}/*" for directory in ("man", "doc")]
    with rootfs.open("wb") as output:
        result = subprocess.run(
            [*command, codename, "-", "-"],
            check=False,
            stdout=output,
            stderr=subprocess.PIPE,
            input="\n".join(sources).encode(),
        )
    if result.returncode != 0:
        raise ImageError(f"mmdebstrap: {result.stderr.decode(errors='replace').strip()}")


def _available(packages: tuple[str, ...]) -> list[str]:
    known = subprocess.run(["apt-cache", "pkgnames"], check=True, capture_output=True, text=True).stdout.split()
    return sorted(set(packages) & set(known))
