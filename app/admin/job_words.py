"""Jobs in words."""

from __future__ import annotations

from typing import Any

from app.admin.columns import VIEWS
from app.admin.filter_builder import in_words
from app.db.core import Condition, Row
from app.db.jobs import Change, queue

NAMES = {"edit": "Edit", "delete": "Deletion", "undo": "Undo", "import": "Import"}
STATES = {"queued": "waiting", "running": "running", "done": "done", "failed": "failed", "cancelled": "cancelled"}


def title_of(job: Row) -> str:
    """A job's title: "Edit of movies"."""
    what = job.get("name") or (VIEWS[job["collection"]].title.lower() if job["collection"] in VIEWS else "a file")
    return f"{NAMES[job['kind']]} of {what}"


def state_of(job: Row) -> str:
    """A job's state and progress: "running, 500 of 17,472"."""
    if job["cancel"] and job["state"] in queue.OPEN:
        return "cancelling"
    if job["state"] != queue.RUNNING or job["kind"] == "import":
        return STATES[job["state"]]
    total = "" if job["total"] is None else f" of {job['total']:,}"
    return f"running, {job['done']:,}{total}"


def records_in_words(job: Row) -> list[str]:
    """A job's selection in words; empty if it has none."""
    if job["kind"] not in queue.UNDOABLE:
        return []
    if job["ids"]:
        return [f"{len(job['ids']):,} selected"]
    conditions = [Condition(**condition) for condition in job["conditions"]]
    return [in_words(job["collection"], condition) for condition in conditions] or ["all"]


def change_in_words(collection: str, change: Change) -> str:
    """A change in words: "Year: set to 1990"."""
    value: Any = change.value
    text = ", ".join(value) if isinstance(value, list) else str(value)
    words = {"set": f"set to {text}", "unset": "cleared", "add": f"{text} added", "remove": f"{text} removed"}
    return f"{VIEWS[collection].headings.get(change.field, change.field)}: {words[change.operation]}"
