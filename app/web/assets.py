"""Static files under a fingerprint of their content: browsers cache them forever, and each release changes the path."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from flask import Blueprint, Response, current_app, redirect, send_from_directory, url_for
from werkzeug.wrappers import Response as BaseResponse

DIRECTORY = Path(__file__).parent / "static"
YEAR = 31_536_000  # seconds
#: By app. Search engines may index films, but neither forms nor anything of the admin app.
ROBOTS = {
    "user": "User-agent: *\nDisallow: /account\nDisallow: /log-in\nDisallow: /sign-up\n",
    "admin": "User-agent: *\nDisallow: /\n",
}

blueprint = Blueprint("assets", __name__, template_folder="templates")


@functools.cache
def fingerprint() -> str:
    """One fingerprint for all files, as they change only with a release."""
    digest = hashlib.sha256()
    for path in sorted(path for path in DIRECTORY.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(DIRECTORY)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@blueprint.get("/static/<version>/<path:filename>")
def static(version: str, filename: str) -> Response:
    """A file. With another release's fingerprint it is served, too, but not cached."""
    response = send_from_directory(DIRECTORY, filename)
    current = version == fingerprint()
    response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable" if current else "no-cache"
    return response


@blueprint.get("/favicon.ico")
def favicon() -> BaseResponse:
    """For clients that ignore the page's link to the icon."""
    return redirect(asset("icon.svg"))


@blueprint.get("/robots.txt")
def robots() -> Response:
    """What search engines may read."""
    return Response(ROBOTS[current_app.config["APP_NAME"]], mimetype="text/plain")


@blueprint.app_template_global()
def asset(filename: str) -> str:
    """The address of a static file."""
    return url_for("assets.static", version=fingerprint(), filename=filename)
