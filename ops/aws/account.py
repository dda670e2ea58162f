"""The AWS account and region of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from ops.aws import tfvars
from ops.errors import OpsError

T = TypeVar("T")

DEFAULT_REGION = "eu-central-1"

_MISSING = (
    "AWS credentials: none found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run "
    "`aws sso login`; terraform/README.md has the required policy"
)


class AccountError(OpsError):
    """The account can't be used, or AWS refused; the message says what to set, or AWS's reason."""


@dataclass(frozen=True)
class Account:
    """`number` has twelve digits; `region` is used for every call."""

    number: str
    region: str


def region() -> str:
    """The region in aws.tfvars, else AWS_REGION, AWS_DEFAULT_REGION or the profile's, else eu-central-1."""
    configured = tfvars.read("aws").get("region", "").strip('"')
    return configured or os.environ.get("AWS_REGION") or boto3.session.Session().region_name or DEFAULT_REGION


@contextmanager
def errors() -> Iterator[None]:
    """Raises boto3's errors as AccountError."""
    try:
        yield
    except ClientError as error:
        raise AccountError(f"AWS refused: {error}") from error
    except (BotoCoreError, WaiterError) as error:
        raise AccountError(f"AWS: {error}") from error


def translating(work: Callable[[T], int]) -> Callable[[T], int]:
    """The same function, which raises boto3's errors as AccountError."""

    def translated(argument: T) -> int:
        with errors():
            return work(argument)

    return translated


def identify() -> Account:
    """Asks AWS whose credentials these are; free, and changes nothing. Raises AccountError."""
    variable = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or region()
    if variable != region():
        raise AccountError(f"AWS_REGION={variable}: must be {region()}, as in aws.tfvars, or unset")
    with errors():
        if boto3.session.Session().get_credentials() is None:
            raise AccountError(_MISSING)
        identity = boto3.client("sts", region_name=region()).get_caller_identity()
    return Account(identity["Account"], region())
