"""The image that every local host starts from, built out of the machine's own apt sources."""

from __future__ import annotations

import hashlib
import platform
import tempfile
from pathlib import Path

from ops import children, podman
from ops.errors import OpsError
from ops.locks import exclusive
from ops.paths import CACHE
from ops.progress import Say, quiet

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
    "nginx",
    "python3.11",
    "python3.11-venv",
    "python3-debian",
    "python3-venv",
    "tzdata",
    "xfsprogs",
)

_KEYRINGS = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}


class ImageError(OpsError):
    """The image can't be built; the message holds the reason."""


def ensure(say: Say = quiet) -> str:
    """The name of the hosts' image, built when its inputs changed. Raises ImageError or podman.PodmanError."""
    bootstrap = _bootstrap_command(_apt_sources())
    base = f"{_NAME}-base:{_digest(bootstrap)}"
    files = [(_CONTEXT / name).read_text() for name in ("Containerfile", "hosts", "ssh-host-key.conf")]
    tag = f"{_NAME}:{_digest([base, *files, *DOWNLOAD])}"
    with exclusive("image"):
        if not _exists(tag):
            if not _exists(base):
                say("unpacking the distribution for the hosts' image (once, about half a minute)")
                _import(bootstrap, base)
            say("building the hosts' image (once, about half a minute)")
            _build(base, tag)
            _remove_others(base, tag)
    return tag


def _exists(name: str) -> bool:
    return podman.run("image", "exists", name, check=False).returncode == 0


def _digest(inputs: list[str]) -> str:
    return hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:12]


def _apt_sources() -> list[str]:
    """Lines for sources.list: the distribution's own repositories, as this machine reaches them."""
    distribution = platform.freedesktop_os_release()["ID"]
    lines = _known_repositories(distribution)
    if not lines:  # apt has no lists yet, so it doesn't know whose repositories they are
        children.run(podman.as_root("apt-get", "update", "-qq"))
        lines = _known_repositories(distribution)
    if not lines:
        raise ImageError(f"apt knows no repository of {distribution}: see `apt-get update`")
    return lines


def _known_repositories(distribution: str) -> list[str]:
    fields = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    targets = children.run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]).stdout
    split = (target.split("|") for target in targets.splitlines())
    keyring = _KEYRINGS[distribution]
    return [
        f"deb [signed-by={keyring}] {uri} {release} {component}"
        for origin, uri, release, component in split
        if origin.lower() == distribution
    ]


def _apt_options() -> list[str]:
    """How this machine's apt reaches its repositories: proxies and, for a snapshot, no check of dates."""
    dump = children.run(["apt-config", "dump"]).stdout
    wanted = ("Acquire::Check-", "Acquire::http::Proxy", "Acquire::https::Proxy")
    return [line.rstrip(";") for line in dump.splitlines() if line.startswith(wanted)]


def _bootstrap_command(sources: list[str]) -> list[str]:
    command = podman.as_root("mmdebstrap", "--quiet", "--format=tar", "--variant=minbase", "--mode=root")
    options = ['APT::Install-Recommends "false"', 'Acquire::Languages "none"', *_apt_options()]
    command += [f"--aptopt={option}" for option in options]
    command += [f"--dpkgopt=path-exclude=/usr/share/{directory}/*" for directory in ("man", "doc")]
    return [*command, platform.freedesktop_os_release()["VERSION_CODENAME"], "-", *sources]


def _import(bootstrap: list[str], base: str) -> None:
    """Makes an image of the bare distribution."""
    with tempfile.NamedTemporaryFile(dir=CACHE, suffix=".tar") as rootfs:
        result = children.run(bootstrap, stdout=rootfs)
        if result.returncode != 0:
            raise ImageError(f"mmdebstrap: {result.stderr.strip()}")
        podman.run("import", "--quiet", rootfs.name, base)


def _build(base: str, tag: str) -> None:
    arguments = ["--build-arg", f"BASE={base}", "--build-arg", f"DOWNLOAD={' '.join(_available(DOWNLOAD))}"]
    podman.run("build", "--quiet", "--pull=never", "--format=docker", *arguments, "--tag", tag, str(_CONTEXT))


def _remove_others(*current: str) -> None:
    """Removes images of earlier inputs, save those that a host still runs from."""
    listing = podman.run("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={_NAME}*").stdout
    for name in sorted(set(listing.split()) - set(current)):
        podman.run("rmi", name, check=False)


def _available(packages: tuple[str, ...]) -> list[str]:
    known = children.run(["apt-cache", "pkgnames"]).stdout.split()
    return sorted(set(packages) & set(known))
