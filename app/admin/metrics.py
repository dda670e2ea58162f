"""Figures for Prometheus, to be read from this host only."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("metrics", __name__)
