"""The cluster that ENV and the other variables name, for the commands that need one."""

from __future__ import annotations

import os
from pathlib import Path

from ops import backup_host, fleet, preflight, restore, rotation, secrets
from ops.aws import account
from ops.aws import cluster as aws
from ops.aws import fleet as aws_fleet
from ops.settings import Settings, SettingsError
from ops.ssh import Remote


def running() -> tuple[str, list[Path]]:
    """ENV, and the inventories of its cluster. Raises OpsError when there is none."""
    settings = Settings.read(os.environ)
    secrets.check(settings.env)
    if settings.env == "aws":
        check_account(settings)
        return settings.env, aws.inventories(settings)
    return settings.env, [fleet.inventory_file(settings.env)]


def backups() -> tuple[Settings, Remote]:
    """The host that makes backups. Raises OpsError when there is none."""
    settings = Settings.read(os.environ)
    if settings.env != "aws":
        return settings, backup_host.local(settings.env)
    check_account(settings)
    return settings, aws_fleet.backup_host(settings.env)


def reachable() -> restore.Cluster:
    """The cluster of ENV. Raises OpsError when there is none."""
    settings = Settings.read(os.environ)
    secrets.check(settings.env)
    rotation.refuse_pending(settings.env)
    if settings.env == "aws":
        check_account(settings)
        return aws.reachable(settings)
    return restore.local(settings.env)


def aws_settings(verb: str) -> Settings:
    """Raises SettingsError unless ENV=aws and the account is usable."""
    settings = preflight.check(os.environ)
    if settings.env != "aws":
        raise SettingsError([f"ENV={settings.env}: must be aws for cluster-{verb}"], settings)
    secrets.check(settings.env)
    check_account(settings)
    return settings


def check_account(settings: Settings) -> None:
    """Raises SettingsError unless Terraform and the account are usable."""
    problems = preflight.terraform_problems(preflight.terraform_version())
    try:
        account.identify()
    except account.AccountError as error:
        problems.append(str(error))
    if problems:
        raise SettingsError(problems, settings)
