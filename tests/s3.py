"""S3 on loopback (moto), which fails on request.

    with FaultyS3() as s3:
        s3.faults = [error(500), cut]   # the next two requests

It runs in a thread of this process.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

BUCKET = "backups"

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
#: Answers a request in the place of the application, which it may ask; None for "as usual".
Fault = Callable[[Application, dict[str, Any], Any], Iterable[bytes]]


def error(status: int, code: str = "InternalError") -> Fault:
    """An answer of S3 with an error."""

    def answer(application: Application, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(f"{status} {code}", [("Content-Type", "application/xml")])
        return [f"<Error><Code>{code}</Code><Message>on request</Message></Error>".encode()]

    return answer


def cut_request(application: Application, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The connection ends within the request."""
    _hang_up(environ)
    return []


def cut_answer(application: Application, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The connection ends within the answer to a request that was served."""
    body = b"".join(application(environ, start_response))
    yield body[: len(body) // 2]
    _hang_up(environ)


def _hang_up(environ: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


class _Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"  # answers "Expect: 100-continue", for which boto3 otherwise waits a second


class FaultyS3:
    """Context manager: a server with one empty bucket that keeps versions.

    `faults` are for the next requests; those that `matches` says no to are served as usual.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.always: Fault | None = None
        self.matches: Callable[[dict[str, Any]], bool] = lambda environ: True
        self.requests: list[str] = []

    def __enter__(self) -> Self:
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        moto = DomainDispatcherApplication(create_backend_app)
        one_at_a_time = threading.Lock()  # moto isn't thread-safe

        def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            with one_at_a_time:
                self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
                fault = self._next_fault(environ)
                return list(moto(environ, start_response)) if fault is None else fault(moto, environ, start_response)

        self._server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.empty()
        return self

    def empty(self) -> None:
        """As after the start."""
        self.faults, self.always, self.matches = [], None, lambda environ: True
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].reset()
        self.client.create_bucket(Bucket=BUCKET)
        self.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.requests.clear()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _next_fault(self, environ: dict[str, Any]) -> Fault | None:
        if not self.matches(environ):
            return None
        return self.faults.pop(0) if self.faults else self.always

    def environment(self) -> dict[str, str]:
        """Variables for clients; the credentials aren't secret."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @cached_property
    def client(self) -> Any:
        """A boto3 client for what a test itself asks."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self._server.server_port}",
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
