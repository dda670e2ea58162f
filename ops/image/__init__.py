"""The local hosts' image, built from the machine's own apt sources.

It has this machine's release, or another of the same distribution: see ops.system.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ops import children, podman, system
from ops.errors import OpsError
from ops.locks import exclusive
from ops.paths import CACHE
from ops.progress import Say, quiet
from ops.system import System

_CONTEXT = Path(__file__).parent
_NAME = "localhost/film-library-host"
_KEPT_SECONDS = 24 * 3600

#: Stages of the Containerfile: whether the packages below are installed in the image, or only downloaded.
READY, BARE = "ready", "bare"

#: Packages that the roles install; those that the release lacks are skipped.
PACKAGES = (
    "acl",
    "chrony",
    "curl",
    "libcurl4",
    "libssl3",
    "logrotate",
    "nginx",
    "python3.11",
    "python3.11-venv",
    "python3-cryptography",
    "python3-debian",
    "python3-venv",
    "tzdata",
    "unattended-upgrades",
    "xfsprogs",
)


class ImageError(OpsError):
    """The image can't be built; the message has the reason."""


def ensure(say: Say = quiet, stage: str = READY) -> str:
    """The name of the hosts' image, built if its inputs changed. `stage` is READY or BARE.

    Raises ImageError, podman.PodmanError or ops.system.UnfitError.
    """
    wanted = system.of_hosts()
    sources, options = _apt_sources(wanted), _apt_options()
    # Without sudo and proxies: they don't change the content.
    base = f"{_NAME}-base:{wanted.suite}-{_digest([wanted.suite, *sources, *options])}"
    files = [(_CONTEXT / name).read_text() for name in ("Containerfile", "hosts", "ssh-host-key.conf")]
    tag = f"{_NAME}-{stage}:{wanted.suite}-{_digest([base, *files, *PACKAGES])}"
    with exclusive("image"):
        if not _exists(tag):
            if not _exists(base):
                say(f"unpacking {wanted.distribution} {wanted.suite} for the hosts' image (once, about half a minute)")
                _import(wanted.suite, sources, options, base)
            say("building the hosts' image (once, about half a minute)")
            _build(base, stage, tag)
            _remove_others(tag.rpartition("-")[2], base, suite=wanted.suite)
    return tag


def _exists(name: str) -> bool:
    return podman.run("image", "exists", name, check=False).returncode == 0


def _digest(inputs: list[str]) -> str:
    return hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:12]


def _apt_sources(wanted: System) -> list[str]:
    """Lines for sources.list: the distribution's repositories, at the addresses that this machine uses."""
    lines = _known_repositories(wanted)
    if not lines:  # without lists, apt doesn't know the repositories' origin
        children.run(podman.as_root("apt-get", "update", "-qq"))
        lines = _known_repositories(wanted)
    if not lines:
        raise ImageError(f"apt knows no repository of {wanted.distribution}: see `apt-get update`")
    return lines


def _known_repositories(wanted: System) -> list[str]:
    own = system.own().suite
    fields = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)"
    targets = children.run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]).stdout
    lines = []
    for origin, uri, release, codename, component in (target.split("|") for target in targets.splitlines()):
        # For another release take the code name: sources.list may say "stable".
        suite = release if wanted.suite == own else codename.replace(own, wanted.suite)
        if origin.lower() == wanted.distribution:
            lines.append(f"deb [signed-by={_keyring(wanted.distribution)}] {uri} {suite} {component}")
    return lines


def _keyring(distribution: str) -> str:
    return f"/usr/share/keyrings/{distribution}-archive-keyring.gpg"


def _apt_options() -> list[str]:
    """apt options for the hosts: no recommended packages, and this machine's proxies and date checks."""
    dump = children.run(["apt-config", "dump"]).stdout
    wanted = ("Acquire::Check-", "Acquire::http::Proxy", "Acquire::https::Proxy")
    configured = [line.rstrip(";") for line in dump.splitlines() if line.startswith(wanted)]
    return ['APT::Install-Recommends "false"', 'Acquire::Languages "none"', *configured]


def _proxies(sources: list[str]) -> list[str]:
    """The environment's proxies as apt options: sudo, podman and the hosts don't see the environment."""
    proxies = getproxies()
    addresses = {urlsplit(line.split()[2]) for line in sources}
    options = [f'Acquire::{scheme}::Proxy "{proxies[scheme]}"' for scheme in ("http", "https") if scheme in proxies]
    options += [
        f'Acquire::{address.scheme}::Proxy::{address.hostname} "DIRECT"'
        for address in sorted(addresses)
        if address.scheme in proxies and address.hostname and proxy_bypass(address.hostname, proxies)
    ]
    return options


def _bootstrap_command(suite: str, sources: list[str], options: list[str]) -> list[str]:
    """`options` are apt's, or files with options."""
    command = podman.as_root("mmdebstrap", "--quiet", "--format=tar", "--variant=minbase", "--mode=root")
    command += [f"--aptopt={option}" for option in options]
    command += [f"--dpkgopt=path-exclude=/usr/share/{directory}/*" for directory in ("man", "doc")]
    return [*command, suite, "-", *sources]


def _import(suite: str, sources: list[str], options: list[str], base: str) -> None:
    """Creates an image with the bare distribution."""
    with (
        tempfile.NamedTemporaryFile(dir=CACHE, suffix=".tar") as rootfs,
        tempfile.NamedTemporaryFile("w", dir=CACHE) as proxies,
    ):
        if not any("::Proxy" in option for option in options):
            # In a file that others can't read: a proxy's address may contain a password.
            proxies.writelines(f"{option};\n" for option in _proxies(sources))
            proxies.flush()
            options = [*options, proxies.name]
        result = children.run(_bootstrap_command(suite, sources, options), stdout=rootfs)
        if result.returncode != 0:
            raise ImageError(f"mmdebstrap: {result.stderr.strip()}")
        podman.run("import", "--quiet", rootfs.name, base)


def _build(base: str, stage: str, tag: str) -> None:
    arguments = ["--build-arg", f"BASE={base}", "--build-arg", f"PACKAGES={' '.join(PACKAGES)}", "--target", stage]
    # The machine's own network: a proxy may be on loopback, and a VPN may not route containers' addresses.
    options = ["--quiet", "--pull=never", "--network=host", "--format=docker"]
    podman.run("build", *options, *arguments, "--tag", tag, str(_CONTEXT))


def _remove_others(digest: str, base: str, suite: str) -> None:
    """Removes the suite's outdated images, but no stage with this digest; podman keeps those that hosts still use.

    Nor what is younger than a day: another clone may have just built it.
    """
    listing = podman.run("images", "--format", "json", "--filter", f"reference={_NAME}*").stdout
    for image in json.loads(listing):
        if time.time() - image["Created"] > _KEPT_SECONDS:
            for name in image["Names"]:
                if f":{suite}-" in name and name != base and not name.endswith(digest):
                    podman.run("rmi", name, check=False)
