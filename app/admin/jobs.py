"""Work in the background: bulk edits and deletions, imports, and their undoing."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("jobs", __name__)
