"""Finding a film by what it should be: type, genre, actor and director."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("preferences", __name__)
