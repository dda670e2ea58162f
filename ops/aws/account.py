"""Which AWS account and region a run works in, and what is missing to work in it."""

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
    "`aws sso login`; terraform/README.md has the policy that they need"
)


class AccountError(OpsError):
    """The account can't be worked in, or AWS refused; the message says what to set, or AWS' own reason."""


@dataclass(frozen=True)
class Account:
    """`number` is the account's twelve digits, `region` that of every call."""

    number: str
    region: str


def region() -> str:
    """That of aws.tfvars, else AWS_REGION, AWS_DEFAULT_REGION or the profile's region, else eu-central-1."""
    said = tfvars.read("aws").get("region", "").strip('"')
    return said or os.environ.get("AWS_REGION") or boto3.session.Session().region_name or DEFAULT_REGION


@contextmanager
def errors() -> Iterator[None]:
    """Turns what boto3 raises into AccountError."""
    try:
        yield
    except ClientError as error:
        raise AccountError(f"AWS refused: {error}") from error
    except (BotoCoreError, WaiterError) as error:
        raise AccountError(f"AWS: {error}") from error


def telling(work: Callable[[T], int]) -> Callable[[T], int]:
    """The same work, but what boto3 raises in it becomes AccountError."""

    def told(argument: T) -> int:
        with errors():
            return work(argument)

    return told


def identify() -> Account:
    """Asks AWS who we are, which costs nothing and changes nothing. Raises AccountError."""
    told = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or region()
    if told != region():
        raise AccountError(f"AWS_REGION={told}: must be {region()}, as aws.tfvars says, or not set")
    with errors():
        if boto3.session.Session().get_credentials() is None:
            raise AccountError(_MISSING)
        identity = boto3.client("sts", region_name=region()).get_caller_identity()
    return Account(identity["Account"], region())
