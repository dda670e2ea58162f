"""What to watch next."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("recommendations", __name__)
