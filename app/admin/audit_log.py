"""Who did what to which record."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("audit_log", __name__)
