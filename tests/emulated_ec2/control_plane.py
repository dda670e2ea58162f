"""The API of an emulated EC2 (with IAM, S3 and STS): moto's server on loopback, patched to behave more like AWS.

    with ControlPlane() as aws:
        subprocess.run(["terraform", "apply"], env=os.environ | aws.environment())
        aws.client("ec2").describe_instances()

Here instances are only records and running immediately; `EmulatedEc2` adds machines.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

import boto3

#: Not in AWS: returns the number of requests so far that may have changed something.
CHANGES_PATH = "/emulation/changes"
#: Not in AWS: returns these requests, as JSON.
CALLS_PATH = "/emulation/calls"
#: Followed by an instance's or volume's id and its new state, as in "i-0123/stopped".
REPORTS_PATH = "/emulation/reports/"

_ROOT = Path(__file__).parents[2]


class ControlPlaneError(RuntimeError):
    """The server didn't start; the reason is on stderr."""


class ControlPlane:
    """Context manager: the API in a separate process, with an empty account.

    Args:
        port: on 127.0.0.1; 0 means a free one.
        region: for `environment` and `client`; any AWS region works.
        machines: whether there are machines, for which `report` is called when an instance runs and so on.

    Raises:
        ControlPlaneError: the server didn't start, for example because the port is in use.
    """

    def __init__(self, port: int = 0, region: str = "eu-central-1", *, machines: bool = False) -> None:
        self.region = region
        self._machines_or_records = "machines" if machines else "records"
        self._port = port
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.emulated_ec2.server", str(self._port), self._machines_or_records],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # on Ctrl-C the parent process still needs the API to clean up
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ControlPlaneError(f"the server ended with exit code {self._process.wait()}")
        self._port = int(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.communicate()  # closes its stdin, which stops it

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def environment(self) -> dict[str, str]:
        """Environment variables for AWS clients that use this API; the credentials aren't secret."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def client(self, service: str) -> Any:
        """A boto3 client of this API for a service ("ec2", "iam", "s3", "sts"), regardless of the environment."""
        make_client: Any = boto3.client  # its types name each service by a literal
        return make_client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def changes(self) -> int:
        """The number of requests so far that may have changed something; much cheaper than reading the state."""
        with urlopen(self.endpoint + CHANGES_PATH) as answer:  # noqa: S310 - loopback
            return int(answer.read())

    def calls(self) -> list[dict[str, Any]]:
        """These requests, as tests.emulated_ec2.calls describes them."""
        with urlopen(self.endpoint + CALLS_PATH) as answer:  # noqa: S310 - loopback
            found: list[dict[str, Any]] = json.loads(answer.read())
            return found

    def report(self, resource_id: str, state: str) -> None:
        """Reports that an instance is running, stopped or terminated, or that a volume is attached or detached."""
        with urlopen(f"{self.endpoint}{REPORTS_PATH}{resource_id}/{state}"):  # noqa: S310 - loopback
            pass
