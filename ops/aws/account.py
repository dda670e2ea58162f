"""Which AWS account and region a run works in, and what is missing to work in it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ops.aws.terraform import settings_file

DEFAULT_REGION = "eu-central-1"

_MISSING = (
    "AWS credentials: none found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run "
    "`aws sso login`; terraform/README.md has the policy that they need"
)


class AccountError(Exception):
    """The account can't be worked in; the message says what to set."""


@dataclass(frozen=True)
class Account:
    """`number` is the account's twelve digits, `region` that of every call."""

    number: str
    region: str


def region() -> str:
    """AWS_REGION, AWS_DEFAULT_REGION or the profile's region, else that of aws.tfvars, else eu-central-1."""
    return os.environ.get("AWS_REGION") or boto3.session.Session().region_name or _settings_region() or DEFAULT_REGION


def _settings_region() -> str | None:
    settings = settings_file("aws")
    text = settings.read_text() if settings.exists() else ""
    found = re.search(r'^\s*region\s*=\s*"([a-z0-9-]+)"', text, re.MULTILINE)
    return found[1] if found else None


def identify() -> Account:
    """Asks AWS who we are, which costs nothing and changes nothing. Raises AccountError."""
    try:
        if boto3.session.Session().get_credentials() is None:
            raise AccountError(_MISSING)
        identity = boto3.client("sts", region_name=region()).get_caller_identity()
    except ClientError as error:
        raise AccountError(
            f"AWS credentials: refused by AWS: {error.response['Error'].get('Message', error)}"
        ) from error
    except BotoCoreError as error:
        raise AccountError(f"AWS: {error}") from error
    return Account(identity["Account"], region())
