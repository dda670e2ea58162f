"""The links at the top of every page, each only for those who may follow it."""

from __future__ import annotations

from typing import Any

from flask import Flask

from app.admin.columns import VIEWS
from app.admin.rights import Action, may, may_write

# (text, endpoint, its action)
TOOLS = (
    ("Import", "transfer.upload", Action.IMPORT),
    ("Jobs", "jobs.listing", Action.VIEW),
    ("Audit log", "audit_log.listing", Action.AUDIT),
)


def init_app(app: Flask) -> None:
    """Give all templates the pages (`views`, `tools`) and the rights (`may`, `may_write`, `Action`)."""
    rights = {"may": may, "may_write": may_write, "Action": Action}
    app.context_processor(lambda: {"views": VIEWS, "tools": _tools, **rights})


def _tools() -> list[dict[str, Any]]:
    return [{"text": text, "endpoint": endpoint} for text, endpoint, action in TOOLS if may(action)]
