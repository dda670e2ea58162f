"""The control plane's process: moto's server, patched. Run by ControlPlane; ends when its stdin closes."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock, Thread
from typing import Any

# moto reads it when it is imported.
os.environ["MOTO_AMIS_PATH"] = str(Path(__file__).with_name("amis.json"))

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.emulated_ec2 import patches, transitions
from tests.emulated_ec2.control_plane import CALLS_PATH, CHANGES_PATH, REPORTS_PATH

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def main(*, port: int, machines: bool) -> None:
    """Serves on 127.0.0.1 at the port, or for 0 at a free one, and prints the port."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line per request
    if machines:
        transitions.apply()
    changes = patches.apply()
    moto = DomainDispatcherApplication(create_backend_app)
    one_at_a_time = Lock()  # moto isn't thread-safe

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == CHANGES_PATH:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [str(changes.count).encode()]
        if path == CALLS_PATH:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(changes.calls).encode()]
        with one_at_a_time:
            if path.startswith(REPORTS_PATH):
                transitions.report(*path.removeprefix(REPORTS_PATH).split("/"))
                changes.count += 1
                start_response("204 No Content", [])
                return []
            answer: Iterable[bytes] = moto(environ, start_response)
            return answer

    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler)
    os.environ["MOTO_PORT"] = str(server.server_port)
    # The pipe closes even if the parent process is killed.
    Thread(target=_end_with_input, daemon=True).start()
    print(server.server_port, flush=True)
    server.serve_forever()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(port=int(sys.argv[1]), machines=sys.argv[2] == "machines")
