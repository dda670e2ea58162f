"""Lighthouse's scores of the user app's pages, and the pages' sizes.

The npm package is locked in requirements/lighthouse. Lighthouse opens each page in Chromium and simulates an average
phone on slow 4G (its defaults), so the figures hardly depend on this machine.
"""

from __future__ import annotations

import gzip
import json
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import click
from PIL import Image

from app.admin import poster_images
from app.db.core import Actor, list_page
from app.db.films import posters
from bench.library import Library, library
from bench.measure import Figure, show
from ops.paths import CACHE, REQUIREMENTS, ROOT

LOCKED = REQUIREMENTS / "lighthouse"
INSTALLED = CACHE / "lighthouse"
CATEGORIES = ("performance", "accessibility", "best-practices")
LEAST = 95  # of 100, in every category
LARGEST = 100_000  # bytes sent for a page with everything it loads, except posters
FILMS, CREDITS, PICTURES = 20_000, 60_000, 50
START_TIMEOUT_S = 30.0

Report = dict[str, Any]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1), help="Runs per page; the median counts.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Directory for Lighthouse's reports.")
def main(runs: int, keep: Path | None) -> None:
    """Rate the home page, the catalogue, a film's page and the log-in page, with 20,000 films and 50 posters.

    A missed target is reported but isn't a failure.
    """
    program = installed()
    with library(FILMS, CREDITS) as full:
        best = _with_pictures()
        with served(full) as site:
            for path in ("/", "/catalogue", f"/films/{best}", "/log-in"):
                reports = [rated(program, site + path) for _ in range(runs)]
                show(f"Lighthouse on {path}", figures(reports))
                if keep:
                    keep.mkdir(parents=True, exist_ok=True)
                    name = path.strip("/").replace("/", "-") or "home"
                    (keep / f"{name}.json").write_text(json.dumps(reports[-1]))


def installed() -> Path:
    """Lighthouse's command; installs it first when the lock file has changed."""
    lock, stamp = LOCKED / "package-lock.json", INSTALLED / "installed.json"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        if shutil.which("npm") is None:
            raise click.ClickException("Lighthouse needs Node 18.20 or later with npm; on Debian: apt-get install npm")
        print("installing Lighthouse from requirements/lighthouse", file=sys.stderr)
        shutil.rmtree(INSTALLED, ignore_errors=True)
        shutil.copytree(LOCKED, INSTALLED)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=INSTALLED, check=True)
        shutil.copy(lock, stamp)  # last, so that an interrupted installation is repeated
    return INSTALLED / "node_modules" / ".bin" / "lighthouse"


def rated(program: Path, address: str) -> Report:
    """Lighthouse's report on a page. Raises CalledProcessError; its errors go to standard error."""
    command = [str(program), address, "--quiet", "--output=json", f"--only-categories={','.join(CATEGORIES)}"]
    # root can't have Chromium's sandbox; only this app is opened.
    command += ["--chrome-flags=--headless=new --no-sandbox --disable-gpu"]
    environment = os.environ | ({"CHROME_PATH": path} if (path := shutil.which("chromium")) else {})
    report: Report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout)
    if report.get("runtimeError"):
        raise click.ClickException(f"{address}: {report['runtimeError']['message']}")
    return report


def figures(reports: list[Report]) -> list[Figure]:
    """The medians of several reports of one page."""
    found = []
    for category in CATEGORIES:
        score = round(100 * statistics.median(report["categories"][category]["score"] for report in reports))
        found.append(Figure(category, f"{score}", aim=f">= {LEAST}", met=score >= LEAST))
    weight = int(statistics.median(map(weighed, reports)))
    shift = statistics.median(report["audits"]["cumulative-layout-shift"]["numericValue"] for report in reports)
    return [
        *found,
        Figure("weight without posters", f"{weight / 1000:.1f} kB", aim="< 100 kB", met=weight < LARGEST),
        Figure("cumulative layout shift", f"{shift:.3f}", aim="0", met=round(shift, 3) == 0),
    ]


def weighed(report: Report) -> int:
    """Bytes transferred for the page and everything it loads, except posters. There is no nginx here, so style sheets
    and scripts count as nginx would send them: compressed at level 1."""
    requests = report["audits"]["network-requests"]["details"]["items"]
    return sum(_bytes(request) for request in requests if "/posters/" not in request["url"])


def _bytes(request: dict[str, Any]) -> int:
    if "/static/" not in request["url"]:
        return int(request["transferSize"])
    with urllib.request.urlopen(request["url"], timeout=10) as answer:  # noqa: S310 -- our own server
        content = answer.read()
    return int(request["transferSize"]) - len(content) + len(gzip.compress(content, 1))


def _with_pictures() -> str:
    """Give every second one of the best films a poster; returns the best film's id."""
    best = [row["_id"] for row in list_page("movies", sort="ranking_score", descending=True, limit=2 * PICTURES).rows]
    for number, film in enumerate(best[::2]):
        # Coarse coloured noise compresses about like a photo.
        noise = Image.merge("RGB", [Image.effect_noise((50, 75), 40 + number) for _ in range(3)])
        file = BytesIO()
        noise.resize((400, 600), Image.Resampling.BICUBIC).save(file, "PNG")
        posters.store(film, poster_images.picture(file), actor=Actor("bench", "bench"))
    return str(best[0])


@contextmanager
def served(full: Library) -> Iterator[str]:
    """The user app under gunicorn, as deployed except for nginx; yields its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "FILM_LIBRARY_MONGODB_URI": full.uri,
        "FILM_LIBRARY_DATABASE": full.database,
        "FILM_LIBRARY_SECRET_KEY": secrets.token_urlsafe(32),
        "FILM_LIBRARY_COOKIE_SECURE": "0",
    }
    command = [sys.executable, "-m", "gunicorn", "app.user:create_app()", "--bind", f"127.0.0.1:{port}"]
    command += ["--threads", "4", "--no-control-socket", "--log-level", "error"]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield _ready(process, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(20)


def _ready(process: subprocess.Popen[bytes], address: str) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2):  # noqa: S310 -- our own server
                return address
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)  # between polls
    raise click.ClickException("the user app did not start")


if __name__ == "__main__":
    main()
