"""Logs each request as a line of JSON on standard error, for journald.

Says who is logged in, and the hash of a name that was tried, so that refusals can be traced.
Leaves out query strings (searches are private), form data, cookies and tokens.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
import uuid

from flask import Flask, Response, g, has_request_context, request


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON, with the fields in `extra={"fields": ...}`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **({"request": g.get("request_id")} if has_request_context() else {}),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, default=str)


def init_app(app: Flask) -> None:
    """Number and log every request, and log the app's own messages in the same form."""
    app.logger.handlers = [_handler()]
    app.logger.propagate = False
    app.logger.setLevel(logging.INFO)
    app.before_request(_start)

    def log(response: Response) -> Response:
        app.logger.info("request", extra={"fields": _fields(app.config["APP_NAME"], response)})
        return response

    app.after_request(log)


def _handler() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    return handler


def _start() -> None:
    g.started = time.perf_counter()
    g.request_id = uuid.uuid4().hex[:12]


def _fields(app_name: str, response: Response) -> dict[str, object]:
    started = g.get("started", time.perf_counter())
    return {
        "app": app_name,
        "address": request.remote_addr,
        "method": request.method,
        "path": request.path,
        "endpoint": request.endpoint,
        "status": response.status_code,
        "milliseconds": round((time.perf_counter() - started) * 1000, 1),
        **{name: g.get(name) for name in ("account", "name_tried") if name in g},
    }
