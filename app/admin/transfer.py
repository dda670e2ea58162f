"""Files in and out: uploads to import, exports of any filtered list."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("transfer", __name__)
