"""The heart on every film, and the page of the films that one likes."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("favourites", __name__)
