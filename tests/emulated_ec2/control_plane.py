"""The API of an emulated EC2 (with IAM, S3 and STS): moto's server on loopback, nearer to AWS where it differs.

    with ControlPlane() as aws:
        subprocess.run(["terraform", "apply"], env=os.environ | aws.environment())
        aws.client("ec2").describe_instances()

Instances are records here, running as soon as they are asked for; `EmulatedEc2` gives them machines.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

import boto3

#: No path of AWS: answers with the number of requests so far that may have changed something.
CHANGES_PATH = "/emulation/changes"
#: Followed by the id of an instance or a volume and its new state, as in "i-0123/stopped".
REPORTS_PATH = "/emulation/reports/"

_ROOT = Path(__file__).parents[2]


class ControlPlaneError(RuntimeError):
    """The server did not start; it said why on standard error."""


class ControlPlane:
    """Context manager: the API in a process of its own, empty at the start and forgotten at the end.

    Args:
        port: on 127.0.0.1; 0 means a free one.
        region: what `environment` and `client` name; any region of AWS works.
        machines: whether there are machines, which `report` when an instance runs or a volume is attached.

    Raises:
        ControlPlaneError: the server ended instead of serving, for example because the port is taken.
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
            start_new_session=True,  # Ctrl-C is for whoever started it, who still wants to clean up by this API
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
            self._process.communicate()  # closes its input, which ends it

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def environment(self) -> dict[str, str]:
        """What a client of AWS needs in its environment to talk to this one; the credentials are words, not secrets."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def client(self, service: str) -> Any:
        """A boto3 client of a service ("ec2", "iam", "s3", "sts"), of this API whatever the environment says."""
        make_client: Any = boto3.client  # its types name each service by a literal
        return make_client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def changes(self) -> int:
        """Counts the requests so far that may have changed something; much cheaper to ask than the state."""
        with urlopen(self.endpoint + CHANGES_PATH) as answer:  # noqa: S310 - loopback
            return int(answer.read())

    def report(self, resource_id: str, state: str) -> None:
        """Tells the control plane how a machine is: the instance running, stopped or terminated, a volume of it
        attached or detached."""
        with urlopen(f"{self.endpoint}{REPORTS_PATH}{resource_id}/{state}"):  # noqa: S310 - loopback
            pass
