"""Reports a playbook's progress to ops/ansible.py: JSON lines, written to the file that FILM_LIBRARY_EVENTS names.

Ansible's own output isn't affected; it goes to the log.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: film_library_events
type: aggregate
short_description: Events of a playbook run for the Film Library's progress display
description: Writes plays, tasks, reports, failures and totals as JSON lines to the descriptor in FILM_LIBRARY_EVENTS.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Results of tasks with no_log are censored before they arrive here."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "film_library_events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._events = open(os.environ["FILM_LIBRARY_EVENTS"], "a", buffering=1)  # noqa: SIM115 - open until ansible ends

    def _send(self, event: str, **fields: Any) -> None:
        self._events.write(json.dumps({"event": event, **fields}) + "\n")

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._send("play", name=play.get_name())

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._send("task", name=task.get_name())

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._send("task", name=task.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        # Debug tasks are messages for people: what a host doesn't allow, how much was loaded.
        if result.task.action.endswith("debug"):
            message = result.result.get("msg", "")
            lines = message if isinstance(message, list) else [message]
            self._send("report", host=result.host.get_name(), lines=[str(line) for line in lines])

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            self._failed(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._failed(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._send("stats", hosts={host: stats.summarize(host) for host in stats.processed})

    def _failed(self, result: Any) -> None:
        values = result.result
        message = values.get("censored") or values.get("msg") or ""
        details = [values.get(key) for key in ("stderr", "module_stderr") if values.get(key)]
        details += [item["msg"] for item in values.get("results") or [] if item.get("failed") and item.get("msg")]
        text = "\n".join(str(part) for part in (message, *details))
        self._send("failed", host=result.host.get_name(), task=result.task_name, message=text)
