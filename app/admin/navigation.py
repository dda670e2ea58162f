"""The links at the top of every page, each for those only who may go there."""

from __future__ import annotations

from typing import Any

from flask import Flask

from app.admin.columns import VIEWS
from app.admin.rights import Action, may

# (text, endpoint, the action that its page performs)
TOOLS = (
    ("Import", "transfer.upload", Action.IMPORT),
    ("Jobs", "jobs.listing", Action.VIEW),
    ("Audit log", "audit_log.listing", Action.AUDIT),
)


def init_app(app: Flask) -> None:
    """Tell all templates what there is (`views`, `tools`) and who may do what (`may`, `Action`)."""
    app.context_processor(lambda: {"views": VIEWS, "tools": _tools, "may": may, "Action": Action})


def _tools() -> list[dict[str, Any]]:
    return [{"text": text, "endpoint": endpoint} for text, endpoint, action in TOOLS if may(action)]
